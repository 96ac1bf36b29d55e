package vfs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// stageFolder is the hidden folder at the library's top where uploads wait. It
// is on the library's own file system, so that rename(2) publishes; its name
// starts with a dot, so that no client can reach it.
const stageFolder = ".shelf"

// stages is the open stage folder. It is flat: every entry is one stage or, as
// its name says, one partial.
type stages struct {
	folder *os.File
	rules  PartialRules
	log    *slog.Logger
}

// openStages makes the stage folder of a library if need be, takes it for this
// process, and discards what a crash left: which parts of such a stage were
// written is not known.
func openStages(library *os.File, o DirOptions) (*stages, error) {
	lib := int(library.Fd())
	if err := unix.Mkdirat(lib, stageFolder, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make the stage folder %s: %w (the library must be writable by the server)", stageFolder, err)
	}
	fd, err := unix.Openat(lib, stageFolder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the stage folder %s: %w", stageFolder, err)
	}
	s := &stages{folder: os.NewFile(uintptr(fd), stageFolder), rules: *o.Partials, log: o.Log}
	if err := s.take(); err != nil {
		s.folder.Close()
		return nil, err
	}
	return s, nil
}

// take locks the folder against a second server, which would discard our
// stages, and empties it.
func (s *stages) take() error {
	if err := unix.Flock(s.fd(), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errors.New("another shelfd serves it; stop that one first, or serve another folder")
		}
		return fmt.Errorf("lock the stage folder: %w", err)
	}
	if err := unix.Fchmod(s.fd(), 0o700); err != nil {
		return fmt.Errorf("close the stage folder to others: %w", err)
	}
	if err := s.discard(); err != nil {
		return fmt.Errorf("discard the stages of a crash: %w", err)
	}
	return s.probe()
}

// discard removes every stage, and the partials whose time has come.
func (s *stages) discard() error {
	for name, err := range folderNames(s.fd()) {
		if err != nil {
			return err
		}
		if isPartial(name) && !s.expired(name) {
			continue
		}
		if err := unix.Unlinkat(s.fd(), name, 0); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		s.log.Info("discarded what was left of an upload", "stage", name)
	}
	return nil
}

// probe fails where no stage can be made.
func (s *stages) probe() error {
	st, err := s.create()
	if err != nil {
		return fmt.Errorf("cannot be written: %w", errors.Unwrap(err))
	}
	return st.discard()
}

func (s *stages) fd() int { return int(s.folder.Fd()) }

func (s *stages) close() error { return s.folder.Close() }

// stage is one file of the stage folder.
type stage struct {
	*os.File
	in   *stages
	name string
}

// create makes an empty stage that only the server can open.
func (s *stages) create() (*stage, error) {
	name := rand.Text()
	fd, err := unix.Openat(s.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, storeError("create a stage", err)
	}
	return &stage{os.NewFile(uintptr(fd), name), s, name}, nil
}

// discard closes and removes the stage.
func (st *stage) discard() error { return errors.Join(st.unlink(), st.File.Close()) }

func (st *stage) unlink() error {
	return storeError("remove a stage", unix.Unlinkat(st.in.fd(), st.name, 0))
}
