package bucket

import (
	"fmt"
	"os"
	"sync"

	"shelf/vfs"
)

// Spool is a folder on the node's own disk, where uploads wait until they are sent.
// Its files have no names: a crash leaves nothing there.
type Spool struct {
	root *os.Root
	max  int64 // bytes; 0 is no limit

	mu   sync.Mutex
	used int64 // bytes
}

// OpenSpool opens a folder, which is made if need be, for at most max bytes; 0 is no
// limit.
func OpenSpool(path string, max int64) (*Spool, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the spool folder: %w", err)
	}
	s := &Spool{root: root, max: max}
	f, err := s.create()
	if err != nil {
		root.Close()
		return nil, err
	}
	return s, f.Close()
}

// Close closes the folder. Files that are open stay so.
func (s *Spool) Close() error { return s.root.Close() }

// create makes a file without a name.
func (s *Spool) create() (*os.File, error) {
	name := "shelfd-" + newID()
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, vfs.SystemError("create a spool file", err)
	}
	if err := s.root.Remove(name); err != nil {
		f.Close()
		return nil, vfs.SystemError("take the name of a spool file", err)
	}
	return f, nil
}

// take takes n bytes, and tells whether there is room for them.
func (s *Spool) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.max > 0 && n > 0 && n > s.max-s.used {
		return false
	}
	s.used += n
	return true
}

// errSpoolFull is what a client is told whose upload has no room to wait.
func errSpoolFull() error {
	return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the server has no room for more uploads under way; try again later"}
}
