package quarantine

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"shelf/vfs/local/filelock"
)

// While one server takes over from another, both have this folder. Each upload that
// waits belongs to one of them: at first to the one that it came to. A server shows that
// it lives by a lock on a file, which the kernel takes away when the process ends,
// however it ends. The file is there for as long as something waits. Who gets the lock
// then has what waits there, and nothing is written for that: a server with thousands of
// uploads is to start soon.

const (
	alive = ".lock" // behind the id of a server
	look  = "look"  // the file that is locked by who looks which servers live
)

// show has this server be seen to live, if it does not do so yet.
func (f *Folder) show() error {
	if f.owns(f.self) {
		return nil
	}
	return f.exclusively(func() error {
		if !f.owns(f.self) && !f.take(f.self) {
			return errors.New("the server cannot lock a file in the folder for quarantine")
		}
		return nil
	})
}

// owns tells whether what came to a server is this one's.
func (f *Folder) owns(server string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.owned[server] != nil
}

// take makes what came to a server this one's, unless that lives. What can't be told is
// that it does.
func (f *Folder) take(server string) bool {
	lock, err := filelock.Open(int(f.dir.Fd()), server+alive)
	if err != nil {
		f.looked.Store(false) // it may have none yet
		return false
	}
	if taken, _ := lock.Try(); !taken {
		lock.Close()
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owned[server] = lock
	return true
}

// leave ends take. If something still waits there, the file stays for who comes next.
func (f *Folder) leave(server string, waits bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !waits {
		f.root.Remove(server + alive)
	}
	f.owned[server].Close()
	delete(f.owned, server)
}

// leaveAll is for the end of this server.
func (f *Folder) leaveAll() {
	if len(f.owned) == 0 {
		return
	}
	items, err := f.List()
	for server := range f.owned {
		f.leave(server, err != nil || slices.ContainsFunc(items, func(i Item) bool { return i.cameTo(server) }))
	}
}

// cameTo tells whether it waits, and came to a server.
func (i Item) cameTo(server string) bool { return i.Held != nil && i.Held.Server == server }

// exclusively does what one server alone may do at a time.
func (f *Folder) exclusively(do func() error) error {
	lock, err := filelock.Open(int(f.dir.Fd()), look)
	if err != nil {
		return err
	}
	defer lock.Close()
	release, err := lock.Hold()
	if err != nil {
		return err
	}
	defer release()
	return do()
}

// Adopt makes all uploads this server's that wait and belong to one which is gone.
func (f *Folder) Adopt() (all []Item, err error) {
	others, err := f.others()
	if err != nil || len(others) == 0 {
		return nil, err
	}
	err = f.exclusively(func() error {
		taken := slices.DeleteFunc(others, func(server string) bool { return !f.take(server) })
		if len(taken) == 0 {
			return nil
		}
		items, err := f.List() // not before: its server may have judged the last until now
		for _, server := range taken {
			n := len(all)
			for _, i := range items {
				if i.cameTo(server) {
					all = append(all, i)
				}
			}
			if err != nil || len(all) == n {
				f.leave(server, err != nil)
			}
		}
		return err
	})
	return all, err
}

// others are the servers beside this one of which something may wait.
func (f *Folder) others() (all []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	add := func(server string) {
		if isID.MatchString(server) && !f.owns(server) && !slices.Contains(all, server) {
			all = append(all, server)
		}
	}
	for _, e := range entries {
		if server, ok := strings.CutSuffix(e.Name(), alive); ok {
			add(server)
		}
	}
	if f.looked.Load() {
		return all, nil
	}
	// A backup may have brought back uploads without these files.
	items, err := f.List()
	for _, i := range items {
		if i.Held != nil {
			add(i.Held.Server)
		}
	}
	f.looked.Store(err == nil)
	return all, err
}

// Owned tells whether an item that waits belongs to this server.
func (f *Folder) Owned(i Item) bool { return i.Held != nil && f.owns(i.Held.Server) }
