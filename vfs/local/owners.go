package local

import (
	"context"
	"errors"
	"iter"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
	"shelf/vfs/local/quota"
)

// ownerAttr is the extended attribute of a file that names the account that has
// published it last. It goes where the file goes, and outlasts the server. On a file
// system without such attributes nobody owns a file.
const ownerAttr = "user.shelf.owner"

// setOwner notes on the stage whose file it will be.
func (u *upload) setOwner() error {
	if u.owner == "" {
		return nil
	}
	err := unix.Fsetxattr(int(u.stage.Fd()), ownerAttr, []byte(u.owner), 0)
	for _, none := range []error{unix.ENOTSUP, unix.EPERM, unix.EACCES, unix.ENOSYS} {
		if errors.Is(err, none) {
			return nil
		}
	}
	return vfs.SystemError("note the owner", err)
}

// ownerOf is the account that has published a file last; "" is that nobody knows.
func (d *Dir) ownerOf(name string) string {
	f, _, err := d.open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	return ownerIn(f)
}

func ownerIn(f *os.File) string {
	var owner [maxOwner]byte
	n, err := unix.Fgetxattr(int(f.Fd()), ownerAttr, owner[:])
	if err != nil {
		return ""
	}
	return string(owner[:n])
}

// maxOwner is the longest name of an account, in bytes.
const maxOwner = 256

// Recent implements [vfs.Recent]. When a file was published is the time of its last
// change, as in [Dir.Expired].
func (d *Dir) Recent(ctx context.Context, since time.Time) iter.Seq2[vfs.Published, error] {
	return func(yield func(vfs.Published, error) bool) {
		for range d.instance().others() { // the dead ones were swept
			yield(vfs.Published{}, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "another server publishes here, too"})
			return
		}
		for name, err := range dirfd.Names(d.fd()) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(vfs.Published{}, vfs.SystemError("list", err))
				return
			}
			i, regular, err := d.look(name)
			if err != nil || !regular || time.Unix(i.ctime.Unix()).Before(since) {
				continue
			}
			if i.links > 1 && d.secondNames(i) > 0 {
				continue // a change was cut short that would have replaced it
			}
			if owner, ours := d.publisherOf(name); ours && !yield(vfs.Published{Info: i.public(), At: time.Unix(i.ctime.Unix()), Owner: owner}, nil) {
				return
			}
		}
	}
}

// publisherOf is the account that has published a file last; ours is false if another
// program has put it there. Where nothing can be noted of a file, all are ours.
func (d *Dir) publisherOf(name string) (account string, ours bool) {
	f, _, err := d.open(name)
	if err != nil {
		return "", false
	}
	defer f.Close()
	var owner [maxOwner]byte
	n, err := unix.Fgetxattr(int(f.Fd()), ownerAttr, owner[:])
	if err != nil {
		return "", errors.Is(err, unix.ENOTSUP)
	}
	return string(owner[:n]), true
}

// owners is what the accounts hold of a library whose accounts have a quota. It is
// counted as [quota.Quota] does: at the first upload, and before one is refused if
// something has changed since, or it was long ago. Where other servers publish, too, a
// count is good for some seconds: what an account uploads through them meanwhile is not
// seen.
type owners struct {
	count  func() (map[string]quota.Amount, error)
	shared func() bool // whether there are other servers

	mu      sync.Mutex
	limit   int64                   // bytes of one account; 0 is no limit; mu
	found   map[string]quota.Amount // published; mu
	pledged map[string]int64        // what uploads hold, in bytes; mu
	counted time.Time               // mu
	stale   bool                    // files have gone, or got another owner, since; mu
	looked  time.Time               // whether others may have published; mu
	took    time.Duration           // to count; mu
}

func newOwners(count func() (map[string]quota.Amount, error), shared func() bool) *owners {
	return &owners{count: count, shared: shared, pledged: make(map[string]int64)}
}

// setLimit sets another limit.
func (o *owners) setLimit(bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.limit != bytes {
		o.limit, o.counted = bytes, time.Time{}
	}
}

// counts tells whether there is a limit.
func (o *owners) counts() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.limit > 0
}

// hold changes what an upload of an account holds, in bytes, or refuses that.
func (o *owners) hold(owner string, old, want int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	more := want - old
	if o.limit > 0 && owner != "" && more > 0 {
		if err := o.refresh(owner, more); err != nil {
			return err
		}
		if o.over(owner, more) {
			return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "your account's quota is used up"}
		}
	}
	if o.pledged[owner] += more; o.pledged[owner] == 0 {
		delete(o.pledged, owner)
	}
	return nil
}

func (o *owners) over(owner string, more int64) bool {
	return o.found[owner].Bytes+o.pledged[owner]+more > o.limit
}

// refresh counts anew where that may let through what would be refused. mu is
// held.
func (o *owners) refresh(owner string, more int64) error {
	if !o.counted.IsZero() && !o.isOld() && (!o.over(owner, more) || !o.stale && time.Since(o.counted) < quota.Recount) {
		return nil
	}
	begun := time.Now()
	found, err := o.count()
	if err != nil {
		return err
	}
	o.found, o.counted, o.stale = found, time.Now(), false
	o.looked, o.took = o.counted, o.counted.Sub(begun)
	return nil
}

// How old a count may be where other servers publish, too: so long, and so many times as
// long as it takes to count.
const (
	recountShared = 5 * time.Second
	countingPart  = 20
)

// isOld tells whether others may have published since. mu is held.
func (o *owners) isOld() bool {
	if time.Since(o.looked) < max(recountShared, countingPart*o.took) {
		return false
	}
	o.looked = time.Now()
	return o.shared()
}

// published is told that an upload of an account, of which held was charged, has
// become a file of this cost.
func (o *owners) published(owner string, held int64, cost quota.Amount) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pledged[owner] -= held; o.pledged[owner] == 0 {
		delete(o.pledged, owner)
	}
	if o.limit > 0 && o.found != nil {
		o.found[owner] = o.found[owner].Plus(cost)
	}
	o.stale = true // it may have replaced another
}

// changed is told that files have gone.
func (o *owners) changed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stale = true
}

// countOwners adds up what each account has published.
func (d *Dir) countOwners() (map[string]quota.Amount, error) {
	all := make(map[string]quota.Amount)
	for i, err := range d.List(context.Background()) {
		if err != nil {
			return nil, err
		}
		owner := d.ownerOf(i.Name)
		all[owner] = all[owner].Plus(quota.CostOf(i.Size))
	}
	return all, nil
}

// Owners implements [vfs.Owners].
func (d *Dir) Owners(context.Context) (map[string]vfs.UsageInfo, error) {
	found, err := d.countOwners()
	all := make(map[string]vfs.UsageInfo, len(found))
	for owner, a := range found {
		all[owner] = vfs.UsageInfo(a)
	}
	return all, err
}

// ownCredit is what an account has already of a file that its upload will replace.
func (u *upload) ownCredit() int64 {
	i, err := u.d.stat(u.name)
	if err != nil || u.d.ownerOf(u.name) != u.owner {
		return 0
	}
	return quota.CostOf(i.size).Bytes
}

// chargeOwner has the account hold what a file of that size costs.
func (u *upload) chargeOwner(size int64) error {
	if !u.owned {
		if u.owned = true; u.d.owners.counts() {
			u.ownedBefore = u.ownCredit()
		}
	}
	want := max(0, quota.CostOf(size).Bytes-u.ownedBefore)
	if err := u.d.owners.hold(u.owner, u.ownHeld, want); err != nil {
		return err
	}
	u.ownHeld = want
	return nil
}
