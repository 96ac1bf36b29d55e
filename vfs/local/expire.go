package local

import (
	"context"
	"errors"
	"iter"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
)

// Expired implements [vfs.Expiry]. When a file was published is the time of its last
// change, which no client can set; a change of its mode, times or name counts as well.
// Its time of birth would be when its upload began, which may be days before.
func (d *Dir) Expired(ctx context.Context, before time.Time) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		for name, err := range dirfd.Names(d.fd()) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(vfs.Info{}, vfs.SystemError("list", err))
				return
			}
			i, regular, err := d.look(name)
			if err == nil && regular && time.Unix(i.ctime.Unix()).Before(before) && !yield(i.public(), nil) {
				return
			}
		}
	}
}

// RemoveVersion implements [vfs.Expiry].
func (d *Dir) RemoveVersion(_ context.Context, name string, v vfs.Version) error {
	return d.removeIf(name, func(i info) bool { return i.public().Version == v })
}

// removal is a file that is about to be removed: into the history, where versions are
// kept. Moving it there is one step, so there is no second name.
type removal struct {
	d    *Dir
	name string
	kept bool
}

func (d *Dir) toRemove(name string) *removal {
	return &removal{d, name, d.o.now().Versions.PerName > 0}
}

func (r *removal) Keeps() bool { return r.kept }

func (r *removal) Spare() error {
	r.kept = false
	return nil
}

// remove takes the name from a file; the lock of names is held.
func (r *removal) remove(i info) error {
	if !r.kept {
		return vfs.SystemError("remove", unix.Unlinkat(r.d.fd(), r.name, 0))
	}
	v, err := r.d.history.Move(r.d.fd(), r.name)
	if err != nil {
		return vfs.SystemError("keep what is removed", err)
	}
	if v.Links > 1 {
		r.d.dropTwins(v)
	}
	if still, _, err := statAt(r.d.fd(), r.name); err == nil && still.id == i.id {
		// It had its new name already: then rename does nothing.
		return vfs.SystemError("remove", unix.Unlinkat(r.d.fd(), r.name, 0))
	}
	return nil
}

// sync makes what was kept durable, and removes what is too many.
func (r *removal) sync() error {
	if !r.kept {
		return nil
	}
	err := vfs.SystemError("fsync", r.d.history.Sync(r.name))
	r.d.trim(r.name)
	return err
}
