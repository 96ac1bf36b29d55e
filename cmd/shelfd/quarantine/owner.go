package quarantine

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// While one server takes over from another, both have this folder. Each upload that
// waits belongs to one of them: the one that it came to. A server shows that it lives
// by a lock on a file of its own, which the kernel takes away when the process ends,
// however it ends. What belonged to it is then taken by who looks first.

const (
	alive = ".lock" // behind the id of a server
	look  = "look"  // the file that is locked by who looks which servers live
)

// show has this server be seen to live, if it does not do so yet.
func (f *Folder) show() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owner != nil {
		return nil
	}
	return f.exclusively(func() error {
		file, err := f.root.OpenFile(f.self+alive, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := lock(file, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return errors.Join(err, file.Close(), f.root.Remove(f.self+alive))
		}
		f.owner = file
		return nil
	})
}

func (f *Folder) disown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owner != nil {
		f.root.Remove(f.self + alive)
		f.owner.Close()
	}
}

// exclusively does what one server alone may do at a time. The lock is that of a file
// that can be written: NFS has no other.
func (f *Folder) exclusively(do func() error) error {
	file, err := f.root.OpenFile(look, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close() // and with it goes the lock
	if err := lock(file, unix.LOCK_EX); err != nil {
		return err
	}
	return do()
}

// Adopt makes all uploads this server's that wait and belong to one which is gone.
func (f *Folder) Adopt() (all []Item, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	if !f.hadCompany(entries) {
		return nil, nil
	}
	items, err := f.List()
	foreign := slices.ContainsFunc(items, f.isForeign)
	if err != nil || !foreign && !f.hasCompany(entries) {
		return nil, err
	}
	if foreign {
		if err := f.show(); err != nil {
			return nil, err
		}
	}
	err = f.exclusively(func() error {
		defer f.forgetDead(entries)
		all, err = f.adopt()
		return err
	})
	if err != nil {
		f.mu.Lock()
		f.alone = false // look again
		f.mu.Unlock()
	}
	return all, err
}

// isForeign tells whether an item waits for another server.
func (f *Folder) isForeign(i Item) bool { return i.Held != nil && i.Held.Server != f.self }

// adopt is Adopt while no other server does it, too.
func (f *Folder) adopt() (all []Item, err error) {
	items, err := f.List()
	lives := make(map[string]bool)
	for _, i := range items {
		if !f.isForeign(i) {
			continue
		}
		server := i.Held.Server
		if _, known := lives[server]; !known {
			lives[server] = f.lives(server)
		}
		if lives[server] {
			continue
		}
		i.Held.Server = f.self
		if err := f.Update(i); err != nil {
			return all, err
		}
		all = append(all, i)
	}
	return all, err
}

// hadCompany tells whether another server had this folder when Adopt looked last, or has
// it now. Before the first look one may have had it.
func (f *Folder) hadCompany(entries []fs.DirEntry) bool {
	now := f.hasCompany(entries)
	f.mu.Lock()
	defer f.mu.Unlock()
	had := !f.alone
	f.alone = !now
	return had || now
}

func (f *Folder) hasCompany(entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasSuffix(e.Name(), alive) && e.Name() != f.self+alive
	})
}

// lives tells whether a server lives. What can't be told is that it does.
func (f *Folder) lives(server string) bool {
	if !isID.MatchString(server) {
		return false
	}
	file, err := f.root.OpenFile(server+alive, os.O_WRONLY, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	return lock(file, unix.LOCK_EX|unix.LOCK_NB) != nil
}

// forgetDead removes the files of servers that are gone.
func (f *Folder) forgetDead(entries []fs.DirEntry) {
	for _, e := range entries {
		if server, ok := strings.CutSuffix(e.Name(), alive); ok && server != f.self && !f.lives(server) {
			f.root.Remove(e.Name())
		}
	}
}

// Owned tells whether an item that waits belongs to this server.
func (f *Folder) Owned(i Item) bool { return i.Held != nil && i.Held.Server == f.self }

// lock is flock(2), over signals.
func lock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
