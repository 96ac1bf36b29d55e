package local

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// Who asks while an fsync is under way has perhaps renamed after it began: so it is
// the next one that counts, for all who ask meanwhile.
func TestFolderSyncIsShared(t *testing.T) {
	var late *sharedSync
	bad := errors.New("bad disk")
	f := &syncedFolder{}
	f.disk = func() error {
		if late != nil {
			return bad
		}
		var first bool
		if late, first = f.join(); !first {
			t.Error("one that came late joined an fsync that is under way")
		}
		return nil
	}
	now, first := f.join()
	if again, second := f.join(); !first || second || again != now {
		t.Error("two that came at the same time do not share an fsync")
	}
	f.lead(now)
	if <-now.done; now.err != nil {
		t.Error(now.err)
	}
	f.lead(late)
	if <-late.done; !errors.Is(late.err, bad) {
		t.Errorf("an fsync that failed: %v", late.err)
	}
}

// Each rename is followed by an fsync that began after it.
func TestFolderSyncBeginsAfterTheCall(t *testing.T) {
	var mu sync.Mutex
	renamed, synced := 0, 0
	f := &syncedFolder{disk: func() error {
		mu.Lock()
		n := renamed // what is on disk when this ends
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		synced = max(synced, n)
		mu.Unlock()
		return nil
	}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				mu.Lock()
				renamed++
				mine := renamed
				mu.Unlock()
				if err := f.sync(); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if synced < mine {
					t.Errorf("rename %d was answered, and only %d are on disk", mine, synced)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
}
