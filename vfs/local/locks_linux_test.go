package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local"
)

// Each change that other servers must not see half waits for a lock that they all
// share, whatever else keeps it right on one machine. Here the test has the lock, as
// another server would, and /proc/locks tells that the change waits for it.
func TestChangesWaitForTheLock(t *testing.T) {
	quota := local.Options{Quota: 1 << 20, Partials: keepAll.Partials}
	for story, c := range map[string]struct {
		lock string
		o    local.Options
		do   func(path string, d *local.Dir, under vfs.Upload) error
	}{
		"publish": {"names", keepAll, func(_ string, _ *local.Dir, under vfs.Upload) error { return commit(under) }},
		"rename": {"names", keepAll, func(_ string, d *local.Dir, _ vfs.Upload) error {
			return failure(d.Rename(t.Context(), "there", "b", true))
		}},
		"rename, not replace": {"names", keepAll, func(_ string, d *local.Dir, _ vfs.Upload) error {
			return failure(d.Rename(t.Context(), "there", "b", false))
		}},
		"remove": {"names", keepAll, func(_ string, d *local.Dir, _ vfs.Upload) error { return d.Remove(t.Context(), "there") }},
		"another size": {"names", keepAll, func(_ string, d *local.Dir, _ vfs.Upload) error {
			return failure(d.SetAttr(t.Context(), "there", resizeTo(5)))
		}},
		"list": {"names", keepAll, func(_ string, d *local.Dir, _ vfs.Upload) error { return listAll(d) }},
		"begin": {"lock", keepAll, func(_ string, d *local.Dir, _ vfs.Upload) error {
			return putSize(t, d, "b", 1, vfs.CreateOptions{Owner: "ada"})
		}},
		"keep":                  {"lock", keepAll, func(_ string, _ *local.Dir, under vfs.Upload) error { return keep(under) }},
		"take a partial":        {"lock", keepAll, takeKept},
		"grow under a quota":    {"lock", quota, func(_ string, _ *local.Dir, under vfs.Upload) error { return under.SetAttr(resizeTo(100 << 10)) }},
		"publish under a quota": {"lock", quota, func(_ string, _ *local.Dir, under vfs.Upload) error { return commit(under) }},
		"remove under a quota":  {"lock", quota, func(_ string, d *local.Dir, _ vfs.Upload) error { return d.Remove(t.Context(), "there") }},
		"ask for room":          {"lock", quota, func(_ string, d *local.Dir, _ vfs.Upload) error { return failure(d.Space(t.Context())) }},
		"open the library":      {"lock", keepAll, func(path string, _ *local.Dir, _ vfs.Upload) error { return openAndClose(path) }},
	} {
		t.Run(story, func(t *testing.T) {
			path := t.TempDir()
			d := openOne(t, path, c.o)
			put(t, d, "there", 10, create, commit)
			put(t, d, "kept", 10, vfs.CreateOptions{Create: true, Owner: "ada"}, keep)
			under := begin(t, d, "under way", "text", vfs.CreateOptions{})
			waits(t, filepath.Join(path, ".shelf", c.lock), func() error { return c.do(path, d, under) })
			under.Abort()
		})
	}
}

func takeKept(_ string, d *local.Dir, _ vfs.Upload) error {
	u, err := d.Create(context.Background(), "kept", vfs.CreateOptions{Owner: "ada"})
	if err != nil {
		return err
	}
	return u.Abort()
}

func listAll(d *local.Dir) error {
	for _, err := range d.List(context.Background()) {
		if err != nil {
			return err
		}
	}
	return nil
}

func openAndClose(path string) error {
	d, err := local.Open(path, keepAll)
	if err != nil {
		return err
	}
	return d.Close()
}

// waits checks that something is not done before the test gives a lock back.
func waits(t *testing.T, path string, do func() error) {
	t.Helper()
	lock, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		defer lock.Close()
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	var at unix.Stat_t
	if err := errors.Join(err, unix.Fstat(int(lock.Fd()), &at)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	eventually(t, "it waits for the lock", func() bool {
		select {
		case err := <-done:
			t.Fatal("it was done without the lock:", err)
		default:
		}
		text, err := os.ReadFile("/proc/locks")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "-> FLOCK") && strings.Contains(line, fmt.Sprintf(":%d ", at.Ino)) {
				return true
			}
		}
		return false
	})
	lock.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
