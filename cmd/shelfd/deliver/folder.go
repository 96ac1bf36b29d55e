package deliver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// errRuns is that another process works with the folder.
var errRuns = errors.New("another shelfd deliver runs with this state; stop it first")

// lock makes the folder of journals and holds it, until the file is closed or the
// process ends.
func lock(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errRuns
		}
		return nil, fmt.Errorf("%s cannot be locked: %w", f.Name(), err)
	}
	return f, nil
}

// held tells whether a process works with the folder.
func held(folder string) bool {
	f, err := os.Open(filepath.Join(folder, "lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// journalOf is the file of a receiver's journal.
func journalOf(folder, receiver string) string { return filepath.Join(folder, receiver+".journal") }
