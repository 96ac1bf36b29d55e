package local

import (
	"os"
	"sync"

	"shelf/vfs"
)

// syncedFolder is an open folder whose changes of names are made durable together:
// who asks for that while a sync is under way shares the next one.
type syncedFolder struct {
	*os.File
	disk func() error // fsync(2); nil is that of the file

	syncing sync.Mutex // held while the folder is synced
	mu      sync.Mutex
	next    *sharedSync // that has not begun; mu
}

// sharedSync is an fsync that some wait for.
type sharedSync struct {
	done chan struct{} // closed when it has ended
	err  error         // read after done
}

// sync returns when an fsync has ended that began after the call. What the caller
// has renamed before is then on disk.
func (f *syncedFolder) sync() error {
	s, first := f.join()
	if first {
		f.lead(s)
	}
	<-s.done
	return s.err
}

// join adds the caller to those who wait for the next fsync. The first of them has it
// done.
func (f *syncedFolder) join() (s *sharedSync, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first = f.next == nil; first {
		f.next = &sharedSync{done: make(chan struct{})}
	}
	return f.next, first
}

// lead does the fsync for all, when the one under way has ended. Who comes once it
// has begun needs another one.
func (f *syncedFolder) lead(s *sharedSync) {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	defer close(s.done)
	f.mu.Lock()
	f.next = nil
	f.mu.Unlock()
	s.err = vfs.SystemError("fsync", f.fsync())
}

func (f *syncedFolder) fsync() error {
	if f.disk != nil {
		return f.disk()
	}
	return f.Sync()
}
