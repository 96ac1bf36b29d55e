package spool

import (
	"crypto/rand"
	"fmt"
	"os"
	"sync"

	"shelf/vfs"
)

// Folder is where files of uploads lie that have no names: a crash leaves nothing
// there.
type Folder struct {
	root *os.Root
	max  int64 // bytes; 0 is no limit

	mu   sync.Mutex
	used int64 // bytes
}

// OpenFolder opens a folder, which is made if need be, for at most max bytes; 0 is no
// limit.
func OpenFolder(path string, max int64) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the spool folder: %w", err)
	}
	f := &Folder{root: root, max: max}
	trial, err := f.Create()
	if err != nil {
		root.Close()
		return nil, err
	}
	return f, trial.Close()
}

// Close closes the folder. Files that are open stay so.
func (f *Folder) Close() error { return f.root.Close() }

// Create makes a file without a name.
func (f *Folder) Create() (*os.File, error) {
	name := "shelfd-" + rand.Text()
	file, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, vfs.SystemError("create a spool file", err)
	}
	if err := f.root.Remove(name); err != nil {
		file.Close()
		return nil, vfs.SystemError("take the name of a spool file", err)
	}
	return file, nil
}

// Reopen opens a file of the folder, which has no name any more, once more for reading
// alone.
func Reopen(disk *os.File) (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", disk.Fd()))
	if err != nil {
		return nil, vfs.SystemError("open a spool file", err)
	}
	return f, nil
}

// Take takes n bytes, and tells whether there is room for them. Less than none gives
// some back.
func (f *Folder) Take(n int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.max > 0 && n > 0 && n > f.max-f.used {
		return false
	}
	f.used += n
	return true
}
