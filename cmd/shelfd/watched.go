package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/gates"
	"shelf/cmd/shelfd/held"
	"shelf/cmd/shelfd/library"
	"shelf/sshd"
	"shelf/vfs"
)

// watched is a library as operators see it. What its disk is asked is remembered
// for a while, and not waited for when the disk does not answer.
type watched struct {
	name     string
	settings config.Library
	now      func() (vfs.Library, error) // nil if it is not open, with the reason if it should be
	owners   func(context.Context) (map[string]vfs.UsageInfo, error)

	judged func(context.Context) error // what is wrong with its gate
	queue  *held.Queue                 // what that holds; nil is nothing

	gate  admin.Patient[struct{}]
	room  admin.Patient[room]
	probe admin.Patient[struct{}]
}

// room is what a library has left.
type room struct {
	at       time.Time
	space    vfs.SpaceInfo
	partials int
}

// roomFresh is how old that may be.
const roomFresh = 5 * time.Second

// watch makes them of the libraries in the settings. Of those that each account has
// for itself nothing is asked but whether their folder is there.
func watch(s config.Settings, set *library.Set, judges *gates.Set) (all []*watched) {
	for _, name := range s.LibraryNames() {
		w := &watched{name: name, settings: s.AllLibraries()[name]}
		w.now = func() (vfs.Library, error) { return set.Now(name) }
		w.owners = func(ctx context.Context) (map[string]vfs.UsageInfo, error) { return set.Owners(ctx, name) }
		w.judged = func(ctx context.Context) error { return judges.Problem(ctx, name) }
		w.queue = judges.Queue()
		w.room.Fresh, w.gate.Fresh = roomFresh, roomFresh
		all = append(all, w)
	}
	return all
}

// statusOf asks all of them at once.
func statusOf(all []*watched, last *uploads) []admin.Library {
	list := make([]admin.Library, len(all))
	each(all, func(i int, w *watched) { list[i] = w.status() })
	for i := range list {
		list[i].LastUpload = last.of(list[i].Name, len(all) == 1)
	}
	return list
}

// each calls f for all of them at once, and waits.
func each(all []*watched, f func(int, *watched)) {
	var asked sync.WaitGroup
	for i, w := range all {
		asked.Go(func() { f(i, w) })
	}
	asked.Wait()
}

func (w *watched) status() admin.Library {
	s := admin.Library{Name: w.name, Free: -1}
	if q := w.settings.Quota; q != nil {
		s.Quota = q.Bytes
	}
	if n := w.settings.MaxFiles; n != nil {
		s.MaxFiles = int64(*n)
	}
	r, err := w.room.Ask(w.look)
	if err != nil {
		s.Problem = reasonOf(err)
	}
	if !r.at.IsZero() {
		s.FreeFiles, s.Partials = int64(r.space.FreeFiles), r.partials
	}
	if r.space.BlockSize > 0 {
		s.Free, s.Size = int64(r.space.Available*r.space.BlockSize), int64(r.space.Blocks*r.space.BlockSize)
	}
	if w.settings.Gate.IsSet() {
		s.Gate = w.gateNow()
	}
	l, _ := w.now()
	if u, ok := vfs.As[vfs.Usage](l); ok {
		if held, ok := u.Charged(); ok {
			s.Used = &admin.Held{Bytes: held.Bytes, Files: held.Files}
		}
	}
	return s
}

// gateTimeout is how long a scanner may take to say that it is there.
const gateTimeout = 10 * time.Second

// gateNow asks the scanners.
func (w *watched) gateNow() *admin.Gate {
	_, err := w.gate.Ask(func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.Background(), gateTimeout)
		defer cancel()
		return struct{}{}, w.judged(ctx)
	})
	g := &admin.Gate{}
	if err != nil {
		g.Problem = vfs.Escape(vfs.Clip(err.Error()))
	}
	if w.queue == nil {
		return g
	}
	total := w.queue.Total(w.name)
	if g.Failing = total.Failing; total.Files > 0 || w.settings.Gate.Holds() {
		g.Held = &admin.Held{Bytes: total.Bytes, Files: total.Files}
	}
	return g
}

// look asks the disk.
func (w *watched) look() (r room, err error) {
	library, err := w.now()
	if library == nil {
		return r, err
	}
	r.at = time.Now()
	if l, ok := vfs.As[vfs.Space](library); ok {
		r.space, err = l.Space(context.Background())
	}
	if l, ok := vfs.As[vfs.Usage](library); ok {
		var failed error
		r.partials, failed = l.Partials(context.Background())
		err = errors.Join(err, failed)
	}
	return r, err
}

// checksOf asks all libraries whether uploads can be made.
func checksOf(ctx context.Context, all []*watched) []admin.Check {
	list := make([]admin.Check, len(all))
	each(all, func(i int, w *watched) {
		_, err := w.probe.Ask(func() (struct{}, error) {
			library, err := w.now()
			if p, ok := vfs.As[vfs.Probe](library); ok {
				err = p.Probe(context.WithoutCancel(ctx))
			}
			return struct{}{}, err
		})
		list[i] = checkOf("library "+w.name, err)
	})
	return list
}

// reasonOf is what may be told of an error over the web address.
func reasonOf(err error) string {
	if known := (*vfs.Error)(nil); errors.As(err, &known) {
		return known.Reason()
	}
	return vfs.WithoutPath(err).Error()
}

// Usage implements [admin.Server].
func (o *operated) Usage(ctx context.Context) ([]admin.Usage, error) {
	all := o.admin.view.Load().libraries
	list := make([]admin.Usage, len(all))
	each(all, func(i int, w *watched) { list[i] = w.usage(ctx) })
	return list, nil
}

// usage counts. It takes as long as that takes.
func (w *watched) usage(ctx context.Context) admin.Usage {
	s := w.status()
	counted := admin.Usage{Library: w.name, Quota: s.Quota, MaxFiles: s.MaxFiles}
	by, err := w.owners(ctx)
	if err != nil {
		counted.Problem = reasonOf(err)
	}
	if len(by) > 0 {
		counted.Accounts = make(map[string]admin.Held, len(by))
	}
	for account, held := range by {
		counted.Accounts[account] = admin.Held{Bytes: held.Bytes, Files: held.Files}
		counted.Bytes, counted.Files = counted.Bytes+held.Bytes, counted.Files+held.Files
	}
	library, _ := w.now()
	if u, ok := vfs.As[vfs.Usage](library); ok { // with uploads under way and partials
		held, err := u.Usage(ctx)
		if err != nil {
			counted.Problem = reasonOf(err)
		}
		counted.Held = admin.Held{Bytes: held.Bytes, Files: held.Files}
	}
	return counted
}

// uploads knows when a file was last published in each library.
type uploads struct {
	mu   sync.Mutex
	last map[string]time.Time // mu
}

func (u *uploads) event(e sshd.Event) {
	if e.Op != "put" || e.Err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[string]time.Time)
	}
	u.last[e.Library] = time.Now()
}

// of is the time of a library; nil is none since the start. Events of the only
// library may not name it.
func (u *uploads) of(library string, only bool) *time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, ok := u.last[library]
	if !ok && only {
		at, ok = u.last[""]
	}
	if !ok {
		return nil
	}
	return &at
}
