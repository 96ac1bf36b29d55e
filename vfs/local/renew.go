package local

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/filelock"
	"shelf/vfs/local/quota"
)

// What an instance has in the stage folder may be taken from it: by somebody who tidies
// up, or by another instance that has got the lock of this one, since the file system
// gave it away while this machine was cut off. It is noticed when a lock is taken or a
// stage is made, and by the timer of the sweep; then the instance begins again in
// another folder. What was under way is lost, and is told so: its name has gone from the
// stage folder, so that it cannot be published.

// errLost is the end of what was under way. There is a folder again in a moment.
var errLost = &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the server has lost its folder for uploads and makes another one; send the file again"}

// instance is the stage folder as this instance has it now.
func (d *Dir) instance() *stages { return d.serving.Load() }

// holdLock waits for the lock of all instances.
func (s *stages) holdLock() (release func(), err error) { return s.hold(s.lock) }

// holdNames waits for the lock that is held while a name changes.
func (s *stages) holdNames() (release func(), err error) { return s.hold(s.names) }

func (s *stages) hold(l *filelock.Lock) (release func(), err error) {
	release, err = l.Hold()
	if errors.Is(err, filelock.ErrGone) {
		return nil, s.lose()
	}
	return release, err
}

// lose has the sweeper look at once.
func (s *stages) lose() error {
	select {
	case s.lost <- struct{}{}:
	default:
	}
	return errLost
}

// check is errLost if something has gone without which this instance cannot go on.
func (s *stages) check() error {
	for _, l := range []*filelock.Lock{s.lock, s.names, s.owner} {
		if err := l.Check(); errors.Is(err, filelock.ErrGone) {
			return errLost
		} else if err != nil {
			return err
		}
	}
	// Where a lock was given away, another one has it now, or this one gets it again.
	if mine, err := s.owner.Try(); err != nil || !mine {
		return errors.Join(errLost, err)
	}
	return nil
}

// renew begins again in the place of was.
func (d *Dir) renew(was *stages) error {
	if !was.isInPlace() {
		return fmt.Errorf("%s was removed or replaced: start the server again", StageFolder)
	}
	s, err := openStages(was.library, d.o, d.quota)
	if err != nil {
		return fmt.Errorf("begin again in %s: %w", StageFolder, err)
	}
	d.o.now().Log.Warn("the folder of this server for uploads, or a lock, was removed: it is made anew, and uploads under way fail")
	was.isLost.Store(true)
	d.serving.Store(s)
	d.former = append(d.former, was)
	quota.Leave(servers{was}) // what it held is told by the new one
	d.quota.Share(servers{s})
	return nil
}

// isInPlace tells whether the stage folder is the one that is open.
func (s *stages) isInPlace() bool {
	var is, at unix.Stat_t
	err := errors.Join(unix.Fstat(s.topFd(), &is), unix.Fstatat(int(s.library.Fd()), StageFolder, &at, unix.AT_SYMLINK_NOFOLLOW))
	return err == nil && is.Ino == at.Ino && is.Dev == at.Dev
}

// closeStages ends the instance; the sweeper has ended.
func (d *Dir) closeStages() (err error) {
	for _, s := range d.former {
		err = errors.Join(err, s.closeFiles())
	}
	if d.former != nil {
		err = errors.Join(err, d.instance().sweep()) // a folder that was not lost is that of a dead one now
	}
	return errors.Join(err, d.instance().close())
}
