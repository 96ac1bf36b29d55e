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

// StageFolder is the hidden folder at the library's top where uploads wait. It
// is on the library's own file system, so that rename(2) publishes; its name
// starts with a dot, so that no client can reach it.
const StageFolder = ".shelf"

// stages is the open stage folder. It is flat: every entry is one stage or, as
// its name says, a partial or a saved stage.
//
// Nothing in it counts on its own after a power cut but those two, so only what
// makes, takes or removes one of them syncs the folder: an unlink or a rename
// that was not synced is undone by the cut. A stage that comes back is
// discarded at the next start; a partial that comes back would be resumed.
type stages struct {
	folder   *os.File
	o        *options
	usage    *usage
	attempts attempts
	twoSteps bool // renameat2 cannot rename without replacing here
}

// openStages makes the stage folder of a library if need be, takes it for this
// process, and discards what a crash left: which parts of such a stage were
// written is not known, unless it was saved.
func openStages(library *os.File, o *options, u *usage) (*stages, error) {
	lib := int(library.Fd())
	if err := unix.Mkdirat(lib, StageFolder, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make the stage folder %s: %w (the library must be writable by the server)", StageFolder, err)
	}
	// A folder that a power cut takes would take all that is kept in it.
	if err := o.now().sync(library); err != nil {
		return nil, fmt.Errorf("sync the library: %w", err)
	}
	fd, err := unix.Openat(lib, StageFolder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK):
		return nil, errors.New(StageFolder + " is a link or a file; " + moveAway)
	case err != nil:
		return nil, fmt.Errorf("open the stage folder %s: %w", StageFolder, err)
	}
	s := &stages{folder: os.NewFile(uintptr(fd), StageFolder), o: o, usage: u}
	if err := s.take(lib); err != nil {
		s.folder.Close()
		return nil, err
	}
	return s, nil
}

// moveAway is what to do about something else that has the stage folder's name.
const moveAway = "shelfd keeps uploads under way in a folder of that name: move it away, and start again"

// checkOurs refuses a folder in which there is something that no server has put
// there: it is somebody's, and would be emptied.
func (s *stages) checkOurs() error {
	for e, err := range folderEntries(s.fd()) {
		if err != nil {
			return fmt.Errorf("read the stage folder: %w", err)
		}
		_, regular, err := statAt(s.fd(), e.name)
		if err != nil || !regular || !isStageName(e.name) {
			return fmt.Errorf("%s holds %q, which is no upload; %s", StageFolder, e.name, moveAway)
		}
	}
	return nil
}

// isStageName tells whether a name is one that this package gives: a stage has a
// [rand.Text].
func isStageName(name string) bool {
	if isPartial(name) || strings.HasPrefix(name, savedPrefix) {
		return true
	}
	return len(name) == len(rand.Text()) && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// take locks the folder against a second server, which would discard our
// stages, and empties it.
func (s *stages) take(library int) error {
	if err := unix.Flock(s.fd(), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errors.New("another shelfd serves it; stop that one first, or serve another folder")
		}
		return fmt.Errorf("lock the stage folder: %w", err)
	}
	if err := s.checkOurs(); err != nil {
		return err
	}
	if err := s.closeToOthers(library); err != nil {
		return fmt.Errorf("close the stage folder to others: %w", err)
	}
	if err := s.clear(library); err != nil {
		return fmt.Errorf("discard the stages of a crash: %w", err)
	}
	return s.probe()
}

// closeToOthers lets nobody else into the folder. If files in the library get the
// library's group (setgid), what is made here gets it, too.
func (s *stages) closeToOthers(library int) error {
	var st unix.Stat_t
	if err := unix.Fstat(library, &st); err != nil {
		return err
	}
	mode := uint32(0o700)
	if st.Mode&unix.S_ISGID != 0 {
		unix.Fchown(s.fd(), -1, int(st.Gid)) // if it has that group already, it need not be allowed
		mode |= unix.S_ISGID
	}
	return unix.Fchmod(s.fd(), mode)
}

// clear removes every stage, and the partials that have expired. A saved stage
// becomes a partial.
func (s *stages) clear(library int) error {
	var partials []string
	var saved []savedName
	changed := false
	for name, err := range folderNames(s.fd()) {
		if err != nil {
			return err
		}
		if isPartial(name) {
			partials = append(partials, name)
			continue
		}
		changed = true
		if entry, ok := parseSaved(name); ok {
			saved = append(saved, entry)
			continue
		}
		if err := s.discard(name); err != nil {
			return err
		}
	}
	// A partial that was being taken has two names until the other one is gone.
	for _, name := range partials {
		if s.isResumable(name) {
			continue
		}
		changed = true
		if err := s.discard(name); err != nil {
			return err
		}
	}
	if err := s.recover(saved, library); err != nil || !changed {
		return err
	}
	return s.sync()
}

// discard removes what a crash left.
func (s *stages) discard(name string) error {
	if err := unix.Unlinkat(s.fd(), name, 0); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	s.o.now().Log.Info("discarded what was left of an upload", "stage", name)
	return nil
}

// probe fails where no stage can be made, and finds out how one is renamed.
func (s *stages) probe() error {
	st, err := s.create()
	if err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	to := stageName()
	err = renameNoReplace(s.fd(), st.name, s.fd(), to)
	switch {
	case err == nil:
		st.name = to
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
		s.twoSteps = true
	default:
		return errors.Join(fmt.Errorf("cannot rename: %w", err), st.discard())
	}
	return st.discard()
}

// Probe implements [vfs.Probe]: it looks for room, makes a stage, and removes it.
func (d *Dir) Probe(context.Context) error {
	switch room, err := d.room(); {
	case err != nil:
		return err
	case room == 0:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the disk has no room above min_free_space"}
	}
	st, err := d.stages.create()
	if err != nil {
		return err
	}
	return st.discard()
}

// sync makes the names in the folder durable, where that is promised.
func (s *stages) sync() error { return s.o.now().sync(s.folder) }

func (s *stages) fd() int { return int(s.folder.Fd()) }

func (s *stages) close() error { return s.folder.Close() }

// stage is one file of the stage folder.
type stage struct {
	*os.File
	in    *stages
	name  string
	saved atomic.Int64 // bytes that its name says survive a crash; see save
	saver attempt      // who saved it, until release
}

// stageName is a name for a stage: nobody can guess it, and none has it yet.
func stageName() string { return rand.Text() }

// create makes an empty stage that only the server can open.
func (s *stages) create() (*stage, error) {
	name := stageName()
	fd, err := unix.Openat(s.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, vfs.SystemError("create a stage", err)
	}
	return &stage{File: os.NewFile(uintptr(fd), name), in: s, name: name}, nil
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

// settleName is called when the stage has left its name: one that was saved
// must not come back after a power cut.
func (st *stage) settleName() error {
	if st.saved.Load() == 0 {
		return nil
	}
	st.saved.Store(0)
	return st.in.sync()
}
