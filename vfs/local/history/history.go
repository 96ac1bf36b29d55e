// Package history keeps what the names of a library in a folder have stood for. A
// version is a file of its own, in a folder of its name, and no client can reach it:
//
//	.shelf/versions/<name>/<id>
//
// The id of a version is when it was replaced or removed. Several servers share the
// folder; each step is one system call that one of them alone can do.
//
//	history.go  Folder: keep, restore, drop
//	version.go  Version, its id, and what there are
package history

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs/local/dirfd"
)

// FolderName is the folder of all versions, in the one that a library has for itself.
const FolderName = "versions"

// Folder is that folder. It is made when the first version is kept. Names are those
// that a library may have, so they lead nowhere else. It is safe for concurrent use.
type Folder struct {
	in   *os.File             // the folder that it lies in; not ours to close
	sync func(*os.File) error // makes the names in a folder durable, where that is promised

	mu   sync.Mutex
	all  *os.File   // nil is that it is not open yet; mu
	gone []*os.File // it was removed; open until Close, since others may still use them; mu
}

// New is the folder of versions in another one, which outlives it.
func New(in *os.File, sync func(*os.File) error) *Folder { return &Folder{in: in, sync: sync} }

// Close gives back what is open.
func (h *Folder) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var err error
	for _, f := range h.gone {
		err = errors.Join(err, f.Close())
	}
	if h.all != nil {
		err = errors.Join(err, h.all.Close())
	}
	return err
}

// Make makes the folder, unless it is there.
func (h *Folder) Make() error {
	_, err := h.open(true)
	return err
}

// open is the folder of all versions. Unless it is to be made the error may be
// unix.ENOENT.
func (h *Folder) open(make bool) (fd int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all != nil {
		if !dirfd.IsRemoved(h.all) { // somebody may remove it while this server runs
			return int(h.all.Fd()), nil
		}
		h.gone, h.all = append(h.gone, h.all), nil
	}
	if make {
		err := unix.Mkdirat(int(h.in.Fd()), FolderName, 0o700)
		if err == nil {
			err = h.sync(h.in)
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
	}
	h.all, err = dirfd.Open(int(h.in.Fd()), FolderName)
	if err != nil {
		return -1, err
	}
	return int(h.all.Fd()), nil
}

// maxTries is how often a folder is made that others remove because it is empty, and
// a later id is taken.
const maxTries = 100

// Link keeps the file that has a name in the folder library, where it stays until
// another takes its place: it has two names then. The second one is durable when Link
// returns. Which file it is must be looked at afterwards: it may not be the one that
// the caller knows.
func (h *Folder) Link(library int, name string) (Version, error) {
	v, err := h.add(name, func(to int, path string) error { return unix.Linkat(library, name, to, path, 0) })
	if err == nil {
		err = h.Sync(name)
	}
	return v, err
}

// Move keeps the file that has a name in the folder library, and takes it from there.
// The caller syncs both folders.
func (h *Folder) Move(library int, name string) (Version, error) {
	return h.add(name, func(to int, path string) error {
		if _, err := stat(to, path); err == nil {
			return unix.EEXIST // rename would replace it
		}
		return unix.Renameat(library, name, to, path)
	})
}

// add gives a file an id among the versions of a name.
func (h *Folder) add(name string, do func(to int, path string) error) (v Version, err error) {
	all, err := h.open(true)
	if err != nil {
		return v, err
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	again := false
	for range maxTries {
		v = Version{ID: at.Format(idLayout), Name: name, Kept: at}
		switch err = do(all, v.path()); {
		case errors.Is(err, unix.EEXIST):
			at = at.Add(time.Microsecond)
		case errors.Is(err, unix.ENOENT):
			made, failed := h.makeFolder(all, name)
			there := !made && exists(all, name)
			if failed != nil || there && again {
				return v, errors.Join(failed, err) // it is the file that is not there
			}
			again = there // or another has made the folder just now
		default:
			if err == nil {
				v.info, err = stat(all, v.path())
			}
			return v, err
		}
	}
	return v, err
}

// makeFolder makes the folder of a name's versions, which then survives a power cut:
// all that is kept there must not go with it.
func (h *Folder) makeFolder(all int, name string) (made bool, err error) {
	err = unix.Mkdirat(all, name, 0o700)
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	if err == nil {
		err = h.syncAll()
	}
	return err == nil, err
}

// syncAll makes durable which names have versions.
func (h *Folder) syncAll() error {
	h.mu.Lock()
	all := h.all
	h.mu.Unlock()
	if all == nil {
		return unix.ENOENT // it was removed just now
	}
	return h.sync(all)
}

func exists(all int, name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(all, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// Sync makes durable which versions of a name there are.
func (h *Folder) Sync(name string) error {
	all, err := h.open(false)
	if err != nil {
		return err
	}
	folder, err := dirfd.Open(all, name)
	if errors.Is(err, unix.ENOENT) {
		return nil // it was empty, and has gone
	}
	if err != nil {
		return err
	}
	return errors.Join(h.sync(folder), folder.Close())
}

// Restore moves a version to its name in the folder library, where it replaces what
// has the name. The caller syncs both folders.
func (h *Folder) Restore(v Version, library int) error {
	all, err := h.open(false)
	if err != nil {
		return err
	}
	return unix.Renameat(all, v.path(), library, v.Name)
}

// Drop removes a version. It is false if somebody else has done that.
func (h *Folder) Drop(v Version) (done bool, err error) {
	all, err := h.open(false)
	if err == nil {
		err = unix.Unlinkat(all, v.path(), 0)
	}
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// Tidy removes the folder of a name that has no versions any more.
func (h *Folder) Tidy(name string) {
	if all, err := h.open(false); err == nil {
		unix.Unlinkat(all, name, unix.AT_REMOVEDIR) // it fails where there are some
	}
}
