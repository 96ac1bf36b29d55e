package bucket

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"shelf/vfs"
	"shelf/vfs/bucket/ledger"
)

// minCost is what the smallest file counts, in bytes, as in a folder.
const minCost = 4 << 10

// costOf is what a file counts.
func costOf(size int64) ledger.Amount { return ledger.Amount{Bytes: max(size, minCost), Files: 1} }

// costOfSeen is what a file counts that may not be there.
func costOfSeen(l *look) ledger.Amount {
	if l == nil {
		return ledger.Amount{}
	}
	return costOf(l.size)
}

// limits tells whether the library has any.
func (o *Options) limits() bool { return o.Quota > 0 || o.MaxFiles > 0 }

// canLimit refuses limits where nodes would overwrite each other's part of the ledger.
func (o *Options) canLimit(has abilities) error {
	if o.limits() && !(has.absent && has.match) {
		return fmt.Errorf("quota and max_files need %s and %s, which the store lacks; leave them out, or use another store", putIfAbsent, putIfMatch)
	}
	return nil
}

// limit has the nodes keep the ledger of what the library holds, if it has limits.
func (b *Bucket) limit(live context.Context) {
	if !b.o.limits() {
		return
	}
	b.held = ledger.New(live, ledger.Options{
		Object: ledgerPage{b.store, b.store.hiddenKey("ledger")}, Node: b.node.id,
		Limit: ledger.Amount{Bytes: b.o.Quota, Files: b.o.MaxFiles},
		Count: b.count, Silent: b.node.silence, Log: b.o.Log,
	})
	b.busy.Go(func() {
		for b.node.hold(live) != nil { // others must see that it is alive
			select {
			case <-time.After(heartbeat):
			case <-live.Done():
				return
			}
		}
		defer b.node.release()
		b.held.Run(live)
	})
}

// leaveLedger gives back what this node has of the limits.
func (b *Bucket) leaveLedger() {
	if b.held == nil {
		return
	}
	b.tidy(func(ctx context.Context) {
		if err := b.held.Leave(ctx); err != nil {
			b.o.Log.Warn("what this node may add to the library is not given back; it is when it is counted", "err", err)
		}
	})
}

// ledgerPage is the object that the ledger lies in.
type ledgerPage struct {
	s   *store
	key string
}

// Read implements [ledger.Object].
func (p ledgerPage) Read(ctx context.Context) (text []byte, tag string, err error) {
	text, tag, _, err = p.s.getText(ctx, p.key)
	if isGone(err) {
		return nil, "", nil
	}
	return text, tag, err
}

// Write implements [ledger.Object].
func (p ledgerPage) Write(ctx context.Context, text []byte, tag string) (string, error) {
	a, out := p.s.put(ctx, p.key, bodyOfText(text), nil, condition{match: tag, absent: tag == ""})
	if isUnmet(out.err) || isGone(out.err) {
		return "", ledger.ErrChanged
	}
	return a.etag, out.err
}

// count counts files, and partials that nobody goes on with.
func (b *Bucket) count(ctx context.Context) (all ledger.Amount, err error) {
	add := func(size int64) {
		c := costOf(size)
		all.Bytes, all.Files = all.Bytes+c.Bytes, all.Files+c.Files
	}
	for l, err := range b.list(ctx) {
		if err != nil {
			return all, fmt.Errorf("list: %w", err)
		}
		add(l.size)
	}
	for h, err := range b.store.listHidden(ctx, "partial") {
		if err != nil {
			return all, fmt.Errorf("list partials: %w", err)
		}
		r := b.recordAt(ctx, h.key)
		if r.err != nil {
			return all, r.err
		}
		alive, err := b.node.isAlive(ctx, r.Node)
		if err != nil {
			return all, err
		}
		if r.etag != "" && !alive {
			add(r.size())
		}
	}
	return all, nil
}

// limited is what an upload takes of the limits.
type limited struct {
	exempt bool          // it is a copy of what is counted already
	held   ledger.Amount // charged
	credit ledger.Amount // not charged: its file will take the place of one that is counted
	lender string        // that one
}

// lent is which files have lent uploads what they take. Of several uploads over one file
// the first has it.
type lent struct {
	mu sync.Mutex
	by map[string]bool // by the id of the version
}

// borrow has an upload be charged less what the file takes that it replaces.
func (u *upload) borrow(l *look) {
	if u.b.held == nil || l == nil {
		return
	}
	u.b.lent.mu.Lock()
	defer u.b.lent.mu.Unlock()
	if u.b.lent.by[l.id] {
		return
	}
	if u.b.lent.by == nil {
		u.b.lent.by = make(map[string]bool)
	}
	u.b.lent.by[l.id] = true
	u.limited.credit, u.limited.lender = costOf(l.size), l.id
}

// hold charges what a file of that size takes.
func (u *upload) hold(size int64) error {
	if u.b.held == nil || u.limited.exempt {
		return nil
	}
	want, credit := costOf(size), u.limited.credit
	want.Bytes, want.Files = max(0, want.Bytes-credit.Bytes), max(0, want.Files-credit.Files)
	return u.holdExactly(u.ctx, want)
}

func (u *upload) holdExactly(ctx context.Context, want ledger.Amount) error {
	if u.b.held == nil || u.limited.exempt || want == u.limited.held {
		return nil
	}
	if err := u.b.held.Hold(ctx, u.limited.held, want); err != nil {
		return err
	}
	u.limited.held = want
	return nil
}

// letGo gives back what an upload holds that ends.
func (u *upload) letGo() {
	if u.b.held == nil {
		return
	}
	u.b.held.Begin(ledger.Amount{}).End(u.limited.held, ledger.Amount{})
	u.limited.held = ledger.Amount{}
	if u.limited.lender != "" {
		u.b.lent.mu.Lock()
		defer u.b.lent.mu.Unlock()
		delete(u.b.lent.by, u.limited.lender)
		u.limited.lender = ""
	}
}

// replacing is an upload that is about to take the place of what was seen.
type replacing struct {
	u      *upload
	change *ledger.Change // nil if nothing is limited
	more   ledger.Amount
}

// beginReplace charges exactly what the library will hold more: the upload may have
// been lent something by a file that has gone since.
func (u *upload) beginReplace(ctx context.Context) (*replacing, error) {
	r := &replacing{u: u}
	if u.b.held == nil || u.limited.exempt {
		return r, nil
	}
	old := costOfSeen(u.seen)
	r.more = costOf(u.content.Size())
	r.more.Bytes, r.more.Files = r.more.Bytes-old.Bytes, r.more.Files-old.Files
	if err := u.holdExactly(ctx, ledger.Amount{Bytes: max(0, r.more.Bytes), Files: max(0, r.more.Files)}); err != nil {
		return nil, err
	}
	r.change = u.b.held.Begin(old)
	return r, nil
}

// done is called when it was published.
func (r *replacing) done() { r.end(r.u.limited.held, r.more) }

// undone is called when it was not.
func (r *replacing) undone() { r.end(ledger.Amount{}, ledger.Amount{}) }

// uncertain is called when nobody knows: then what is charged stays so until it is
// counted.
func (r *replacing) uncertain() { r.end(r.u.limited.held, r.u.limited.held) }

func (r *replacing) end(held, more ledger.Amount) {
	if r.change == nil {
		return
	}
	r.change.End(held, more)
	if held == r.u.limited.held {
		r.u.limited.held = ledger.Amount{}
	}
}

// takePartial has an upload hold what it goes on with, which was counted until now.
func (u *upload) takePartial(size int64) {
	if u.b.held == nil {
		return
	}
	c := costOf(size)
	less := ledger.Amount{Bytes: -c.Bytes, Files: -c.Files}
	u.b.held.Begin(c).End(less, less)
	u.limited.held = c
}

// leavePartial is called when an upload has become a partial, which is counted.
func (u *upload) leavePartial(size int64) {
	if u.b.held == nil {
		return
	}
	u.b.held.Begin(ledger.Amount{}).End(u.limited.held, costOf(size))
	u.limited.held = ledger.Amount{}
}

// changing is something that is about to go.
type changing struct {
	change *ledger.Change // nil if nothing is limited
	cost   ledger.Amount
}

func (b *Bucket) beginChange(cost ledger.Amount) changing {
	if b.held == nil {
		return changing{}
	}
	return changing{b.held.Begin(cost), cost}
}

// end is called when it has gone, or not.
func (c changing) end(gone bool) {
	if c.change == nil {
		return
	}
	less := ledger.Amount{}
	if gone {
		less = ledger.Amount{Bytes: -c.cost.Bytes, Files: -c.cost.Files}
	}
	c.change.End(ledger.Amount{}, less)
}

// moving is a file that is about to get another name.
type moving struct {
	changing
	b        *Bucket
	from     ledger.Amount
	replaced ledger.Amount
	both     bool // the file has both names; while it is renamed that is counted once
}

func (b *Bucket) beginMove(from *look) *moving {
	return &moving{b: b, changing: b.beginChange(costOf(from.size)), from: costOf(from.size)}
}

// made is called when the file has its new name, too, and has replaced what was seen
// there.
func (m *moving) made(replaced *look) { m.both, m.replaced = true, costOfSeen(replaced) }

// gone is called when this rename, and nobody else, has taken the old name away.
func (m *moving) gone() { m.both = false }

// end is called when the rename has ended, as far as it went.
func (m *moving) end() {
	if m.change == nil {
		return
	}
	more := ledger.Amount{Bytes: -m.replaced.Bytes, Files: -m.replaced.Files}
	if m.both {
		more.Bytes, more.Files = more.Bytes+m.from.Bytes, more.Files+m.from.Files
	}
	m.change.End(ledger.Amount{}, more)
}

// Unwrap lets [vfs.As] find what only a library with limits, or with versions, can tell.
func (b *Bucket) Unwrap() vfs.Library {
	switch {
	case b.o.keeps():
		return withVersions{b}
	case b.held == nil:
		return nil
	}
	return withLimits{b}
}

// withLimits is a library that has limits.
type withLimits struct{ *Bucket }

// Unwrap ends the search.
func (withLimits) Unwrap() vfs.Library { return nil }

// Space implements [vfs.Space]: what the limits leave. A store does not say what room it
// has.
func (b withLimits) Space(ctx context.Context) (s vfs.SpaceInfo, err error) {
	left, err := b.held.Left(ctx)
	if err != nil {
		return s, err
	}
	s = vfs.SpaceInfo{BlockSize: minCost, Blocks: math.MaxInt64 / minCost, Files: math.MaxInt64}
	s.Free, s.FreeFiles = s.Blocks, s.Files
	if b.o.Quota > 0 {
		s.Blocks, s.Free = uint64(b.o.Quota+minCost-1)/minCost, uint64(left.Bytes)/minCost
	}
	if b.o.MaxFiles > 0 {
		s.Files, s.FreeFiles = uint64(b.o.MaxFiles), uint64(left.Files)
	}
	s.Available = s.Free
	return s, nil
}

// Usage implements [vfs.Usage]. Uploads under way on other nodes are not in it.
func (b *Bucket) Usage(ctx context.Context) (vfs.UsageInfo, error) {
	found, err := b.count(ctx)
	return vfs.UsageInfo(found), failure("count", err)
}

// Charged implements [vfs.Usage].
func (b *Bucket) Charged() (held vfs.UsageInfo, ok bool) {
	if b.held == nil {
		return held, false
	}
	all, ok := b.held.Held()
	return vfs.UsageInfo(all), ok
}

// Partials implements [vfs.Usage].
func (b *Bucket) Partials(ctx context.Context) (n int, err error) {
	for _, err := range b.store.listHidden(ctx, "partial") {
		if err != nil {
			return n, failure("list partials", err)
		}
		n++
	}
	return n, nil
}
