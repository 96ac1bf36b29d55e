package local

import (
	"context"
	"sync"
	"time"

	"shelf/vfs"
)

// usage is how many bytes a library holds, where it has a quota. Files that
// others put into the folder are seen when it is counted: at the first upload,
// before an upload is refused and when it is asked what is left, at most once a
// minute.
type usage struct {
	quota int64 // bytes; 0 is no quota, and then nothing is counted
	count func() (int64, error)

	mu      sync.Mutex // guards what follows, and is held while a file is replaced
	used    int64      // bytes of files, stages and partials
	pledged int64      // bytes of used that uploads hold
	counted time.Time
}

// recount is how old a count may be when an upload is refused.
const recount = time.Minute

// take charges n bytes or refuses them.
func (u *usage) take(n int64) error {
	if u.quota <= 0 {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if n > u.quota-u.used || u.counted.IsZero() {
		if err := u.refresh(); err != nil {
			return err
		}
	}
	if n > u.quota-u.used {
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the library's quota is used up"}
	}
	u.used += n
	u.pledged += n
	return nil
}

// left is how many bytes can still be charged.
func (u *usage) left() (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.refresh(); err != nil {
		return 0, err
	}
	return max(0, u.quota-u.used), nil
}

// refresh counts anew unless that was done lately; mu is held.
func (u *usage) refresh() error {
	if time.Since(u.counted) < recount {
		return nil
	}
	used, err := u.count()
	if err != nil {
		return err
	}
	u.used, u.counted = used+u.pledged, time.Now()
	return nil
}

// give returns n bytes that were charged.
func (u *usage) give(n int64) {
	if u.quota <= 0 || n == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used -= n
	u.pledged -= n
}

// pledge marks n bytes of a partial as held by an upload again.
func (u *usage) pledge(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pledged += n
}

// settle turns n charged bytes into size bytes of a file or partial.
func (u *usage) settle(n, size int64) {
	if u.quota <= 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used += size - n
	u.pledged -= n
}

// replacing runs do, which removes or replaces the file of that name, and
// takes its bytes off.
func (u *usage) replacing(d *Dir, name string, do func() error) error {
	if u.quota <= 0 {
		return do()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	old, err := d.stat(name)
	if err := do(); err != nil {
		return err
	}
	if err == nil {
		u.used -= old.size
	}
	return nil
}

// count adds up the library's files and partials. Stages of open uploads are
// charged as they grow.
func (d *Dir) count() (n int64, err error) {
	for i, err := range d.List(context.Background()) {
		if err != nil {
			return 0, err
		}
		n += i.Size
	}
	for name, err := range folderNames(d.stages.fd()) {
		if err != nil {
			return 0, vfs.SystemError("count", err)
		}
		if i, err := d.stages.stat(name); err == nil && isPartial(name) {
			n += i.size
		}
	}
	return n, nil
}
