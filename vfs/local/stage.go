package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// stage is one file of an instance's folder: an upload under way. Its name says
// whose partial it would be, so that other instances find it:
//
//	stage-<digest of owner>-<digest of name>-<random>
//
// That of an upload of nobody is random alone.
type stage struct {
	*os.File
	in    *stages
	name  string
	of    string       // the partial that it would be, or ""
	saved atomic.Int64 // bytes that its name says survive a crash; see save
	saver attempt      // who saved it, until release
}

const stagePrefix = "stage-"

// stageName is a name for a stage that would be the partial of: nobody can guess it,
// and none has it yet.
func stageName(of string) string {
	if of == "" {
		return rand.Text()
	}
	return stagePrefix + strings.TrimPrefix(of, partialPrefix) + "-" + rand.Text()
}

// isStageOf tells whether a name is that of a stage that would be the partial of.
func isStageOf(name, of string) bool {
	of = strings.TrimPrefix(of, partialPrefix) + "-"
	return strings.HasPrefix(name, stagePrefix+of) || isSavedOf(name, of)
}

func isSavedOf(name, of string) bool {
	return strings.HasPrefix(name, savedPrefix+strings.TrimPrefix(of, partialPrefix))
}

// create makes an empty stage that only the server can open; of is the partial that
// it would be, or "".
func (s *stages) create(of string) (*stage, error) {
	name := stageName(of)
	fd, err := unix.Openat(s.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.ENOENT) {
		return nil, s.lose()
	}
	if err != nil {
		return nil, vfs.SystemError("create a stage", err)
	}
	return &stage{File: os.NewFile(uintptr(fd), name), in: s, name: name, of: of}, nil
}

// open opens the stage once more, for reading alone.
func (st *stage) open() (*os.File, error) {
	fd, err := unix.Openat(st.in.fd(), st.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, vfs.SystemError("open a stage", err)
	}
	return os.NewFile(uintptr(fd), st.name), nil
}

// discard closes and removes the stage.
func (st *stage) discard() error { return errors.Join(st.unlink(), st.File.Close()) }

func (st *stage) unlink() error {
	st.release()
	if err := unix.Unlinkat(st.in.fd(), st.name, 0); err != nil {
		return vfs.SystemError("remove a stage", err)
	}
	return st.settleName()
}

func (st *stage) rename(name string) error {
	if err := unix.Renameat(st.in.fd(), st.name, st.in.fd(), name); err != nil {
		return vfs.SystemError("rename a stage", err)
	}
	st.name = name
	return nil
}

// wouldBe changes which partial the stage would be.
func (st *stage) wouldBe(of string) error {
	if of == st.of {
		return nil
	}
	st.of = of
	return st.rename(stageName(of))
}

// settleName is called when the stage has left its name: one that was saved
// must not come back after a power cut.
func (st *stage) settleName() error {
	if st.saved.Load() == 0 {
		return nil
	}
	st.saved.Store(0)
	return st.in.sync()
}

// Probe implements [vfs.Probe]: it looks for room, makes a stage, and removes it.
func (d *Dir) Probe(context.Context) error {
	switch room, err := d.room(); {
	case err != nil:
		return err
	case room == 0:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the disk has no room above min_free_space"}
	}
	st, err := d.instance().create("")
	if err != nil {
		return err
	}
	return st.discard()
}

// Probe tells whether a directory could be a library, and does not take it:
// whether files can be made in it, synced and renamed.
func Probe(path string) (err error) {
	f, err := os.CreateTemp(path, ".shelf-probe-*")
	if err != nil {
		return fmt.Errorf("library %s: make a file: %w", path, err)
	}
	renamed := f.Name() + "-renamed"
	defer func() {
		if err != nil {
			err = fmt.Errorf("library %s: %w", path, err)
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(f.Name(), renamed), os.Remove(renamed)); err != nil {
		return err
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
