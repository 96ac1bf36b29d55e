package vfstest_test

import (
	"errors"
	"testing"

	"shelf/vfs"
	"shelf/vfs/vfstest"
)

func TestMemory(t *testing.T) {
	vfstest.Test(t, func(*testing.T) vfs.Library { return vfstest.NewMemory() })
	vfstest.Test(t, func(*testing.T) vfs.Library { return vfstest.NewHistory() })
}

// A commit that fails on cue as uncertain has published; with any other error
// nothing is there.
func TestFaultyCommit(t *testing.T) {
	for kind, published := range map[error]bool{vfs.ErrUncertain: true, vfs.ErrUnavailable: false, vfs.ErrIO: false} {
		lib := vfstest.NewFaulty(vfstest.NewMemory())
		u, err := lib.Create(t.Context(), "f", vfs.CreateOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		lib.Fail(vfstest.Commit, 1, &vfs.Error{Kind: kind})
		if _, err := u.Commit(t.Context()); !errors.Is(err, kind) {
			t.Errorf("%v: Commit says %v", kind, err)
		}
		if _, err := lib.Stat(t.Context(), "f"); (err == nil) != published {
			t.Errorf("%v: published is %v: %v", kind, err == nil, err)
		}
	}
}
