package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"shelf/vfs/local/dirfd"
	"shelf/vfs/local/filelock"
	"shelf/vfs/local/history"
	"shelf/vfs/local/quota"
)

// StageFolder is the hidden folder at the library's top where uploads wait. It
// is on the library's own file system, so that rename(2) publishes; its name
// starts with a dot, so that no client can reach it.
//
// Any number of servers serve a library at the same time, on one machine or on
// several: each is an instance, with a folder of its own for its stages.
//
//	.shelf/lock              held while partials are made or taken, while limits are
//	                         charged, and while instances begin and are swept
//	.shelf/names             held while a name of the library changes
//	.shelf/partials/         what is kept of uploads that were cut; any instance takes
//	                         one by a rename into its own folder
//	.shelf/versions/         what was replaced or removed (package history)
//	.shelf/<instance>/       stages; saved stages (saved.go); marks (attempts.go)
//	.shelf/<instance>/owner  locked for as long as the instance lives; what it holds of
//	                         limits (package quota)
const StageFolder = ".shelf"

const (
	lockName      = "lock"
	namesName     = "names"
	partialFolder = "partials"
	ownerName     = "owner"
)

// stages is the stage folder as one instance has it open.
//
// Nothing in it counts on its own after a power cut but partials and saved stages,
// so only what makes, takes or removes one of them syncs a folder: an unlink or a
// rename that was not synced is undone by the cut. A stage that comes back is
// discarded at the next start; a partial that comes back would be resumed.
type stages struct {
	library  *os.File
	top      *os.File // .shelf
	folder   *os.File // of this instance
	partials *os.File
	lock     *filelock.Lock
	names    *filelock.Lock
	owner    *filelock.Lock
	o        *options
	quota    *quota.Quota
	attempts attempts
	seen     seen          // guarded by lock
	lost     chan struct{} // gets one, without waiting, when something of this has gone
	isLost   atomic.Bool   // what is under way can't be published any more
	twoSteps bool          // renameat2 cannot rename without replacing here
	noLinks  error         // why link cannot give a file a second name here; nil is that it can
}

// openStages makes the stage folder of a library if need be, and a folder for this
// instance in it. It takes over what an older version of the server has left there.
func openStages(library *os.File, o *options, q *quota.Quota) (_ *stages, err error) {
	s := &stages{library: library, o: o, quota: q, lost: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			s.closeFiles()
		}
	}()
	if s.top, err = openTop(library, o); err != nil {
		return nil, err
	}
	if err := s.checkOurs(); err != nil {
		return nil, err
	}
	if err := s.keepOldVersionsOut(); err != nil {
		return nil, err
	}
	if err := closeToOthers(library, s.top); err != nil {
		return nil, fmt.Errorf("close the stage folder to others: %w", err)
	}
	if s.lock, err = filelock.Open(s.topFd(), lockName); err != nil {
		return nil, err
	}
	if s.names, err = filelock.Open(s.topFd(), namesName); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, s.probe()
}

// openTop opens the stage folder.
func openTop(library *os.File, o *options) (*os.File, error) {
	lib := int(library.Fd())
	if err := unix.Mkdirat(lib, StageFolder, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make the stage folder %s: %w (the library must be writable by the server)", StageFolder, err)
	}
	// A folder that a power cut takes would take all that is kept in it.
	if err := o.now().sync(library); err != nil {
		return nil, fmt.Errorf("sync the library: %w", err)
	}
	top, err := dirfd.Open(lib, StageFolder)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK):
		return nil, errors.New(StageFolder + " is a link or a file; " + moveAway)
	case err != nil:
		return nil, fmt.Errorf("open the stage folder %s: %w", StageFolder, err)
	}
	return top, nil
}

// moveAway is what to do about something else that has the stage folder's name.
const moveAway = "shelfd keeps uploads under way in a folder of that name: move it away, and start again"

// checkOurs refuses a folder in which there is something that no server has put
// there: it is somebody's, and would be emptied.
func (s *stages) checkOurs() error {
	for e, err := range dirfd.Entries(s.topFd()) {
		if err != nil {
			return fmt.Errorf("read the stage folder: %w", err)
		}
		var st unix.Stat_t
		err := unix.Fstatat(s.topFd(), e.Name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue // another instance has ended
		}
		if err != nil || !isOurs(e.Name, uint32(st.Mode)&unix.S_IFMT) {
			return fmt.Errorf("%s holds %q, which is no upload; %s", StageFolder, e.Name, moveAway)
		}
	}
	return nil
}

// isOurs tells whether a name in the stage folder is one that this package gives, or
// that an older version gave.
func isOurs(name string, kind uint32) bool {
	switch kind {
	case unix.S_IFDIR:
		return name == partialFolder || name == history.FolderName || isRandom(name)
	case unix.S_IFREG:
		return name == lockName || name == namesName || isOldStage(name)
	}
	return false
}

// isRandom tells whether a name is a [rand.Text], as instances have.
func isRandom(name string) bool {
	return len(name) == len(rand.Text()) && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// keepOldVersionsOut refuses to start beside a version of the server that had the
// folder for itself, and has such a one refused while this one is open: they would
// discard each other's stages. They lock the folder itself. Where a folder cannot be
// locked (NFS) they did not work at all.
func (s *stages) keepOldVersionsOut() error {
	if filelock.TryShared(s.top) == filelock.ErrTaken {
		return errors.New("an older version of shelfd serves it; stop that one first")
	}
	return nil
}

// closeToOthers lets nobody else into the stage folder. If files in the library get
// the library's group (setgid), what is made here gets it, too.
func closeToOthers(library, top *os.File) error {
	var lib, is unix.Stat_t
	if err := errors.Join(unix.Fstat(int(library.Fd()), &lib), unix.Fstat(int(top.Fd()), &is)); err != nil {
		return err
	}
	mode := uint32(0o700)
	if lib.Mode&unix.S_ISGID != 0 {
		unix.Fchown(int(top.Fd()), -1, int(lib.Gid)) // if it has that group already, it need not be allowed
		mode |= unix.S_ISGID
	}
	if uint32(is.Mode)&0o7777 == mode {
		return nil
	}
	return unix.Fchmod(int(top.Fd()), mode)
}

// begin makes the folder of this instance, and sweeps what others have left. The
// lock is held until the instance has locked its own: else it would be swept.
func (s *stages) begin() error {
	release, err := s.holdLock()
	if err != nil {
		return err
	}
	err = errors.Join(s.openPartials(), s.openOwn(), s.takeOver())
	release()
	if err != nil {
		return err
	}
	return s.sweep()
}

func (s *stages) openPartials() (err error) {
	if err := unix.Mkdirat(s.topFd(), partialFolder, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make the folder of partials: %w", err)
	}
	s.partials, err = dirfd.Open(s.topFd(), partialFolder)
	return err
}

// openOwn makes the folder of this instance, and locks it.
func (s *stages) openOwn() (err error) {
	if err := s.countBegun(); err != nil {
		return fmt.Errorf("count the instances: %w", err)
	}
	name := rand.Text()
	if err := unix.Mkdirat(s.topFd(), name, 0o700); err != nil {
		return fmt.Errorf("make the folder of this instance: %w", err)
	}
	if s.folder, err = dirfd.Open(s.topFd(), name); err != nil {
		return err
	}
	if s.owner, err = filelock.Open(s.fd(), ownerName); err != nil {
		return err
	}
	taken, err := s.owner.Try()
	if err == nil && !taken {
		err = errors.New("its lock is taken")
	}
	if err != nil {
		return fmt.Errorf("lock the folder of this instance: %w (the file system must have flock)", err)
	}
	return s.o.now().sync(s.top)
}

// probe fails where no stage can be made, and finds out how one is renamed.
func (s *stages) probe() error {
	st, err := s.create("")
	if err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	second := stageName("")
	if s.noLinks = unix.Linkat(s.fd(), st.name, s.fd(), second, 0); s.noLinks == nil {
		s.noLinks = unix.Unlinkat(s.fd(), second, 0)
	}
	to := stageName("")
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

// sync makes the names in the instance's folder durable, where that is promised.
func (s *stages) sync() error { return s.o.now().sync(s.folder) }

// syncPartials does the same for partials.
func (s *stages) syncPartials() error { return s.o.now().sync(s.partials) }

func (s *stages) topFd() int { return int(s.top.Fd()) }

func (s *stages) fd() int { return int(s.folder.Fd()) }

func (s *stages) partialFd() int { return int(s.partials.Fd()) }

// close ends the instance. Its folder goes if no upload is open; else the others, or
// the next, will sweep it.
func (s *stages) close() error {
	return errors.Join(s.leave(), s.closeFiles())
}

func (s *stages) leave() error {
	for name, err := range dirfd.Names(s.fd()) {
		if err != nil || name != ownerName && !isBeaten(name) {
			return err
		}
	}
	release, err := s.holdLock()
	switch {
	case err == nil:
		defer release()
	case !errors.Is(err, errLost): // then nobody waits for it
		return err
	}
	return removeFolder(s.topFd(), s.folder)
}

func (s *stages) closeFiles() (err error) {
	for _, f := range []*os.File{s.top, s.folder, s.partials} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	for _, l := range []*filelock.Lock{s.lock, s.names, s.owner} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}
