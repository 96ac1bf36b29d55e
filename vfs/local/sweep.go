package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"shelf/vfs/local/dirfd"
	"shelf/vfs/local/filelock"

	"golang.org/x/sys/unix"
)

// sweepEvery is how often an instance looks for what dead ones have left.
const sweepEvery = 15 * time.Second

// tend sweeps by a timer until the library is closed, and makes anew what was lost.
func (d *Dir) tend() {
	timer := time.NewTicker(sweepEvery)
	defer timer.Stop()
	for {
		s := d.instance()
		select {
		case <-d.done:
			return
		case <-timer.C:
		case <-s.lost:
		}
		err := s.check()
		if errors.Is(err, errLost) {
			err = d.renew(s)
		}
		if err == nil {
			err = d.instance().sweep()
		}
		if err != nil {
			d.o.now().Log.Warn("the stage folder could not be looked after", "err", err)
		}
	}
}

// sweepVersionsUntilDone looks after the versions that are kept.
func (d *Dir) sweepVersionsUntilDone() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { <-d.done; stop() }()
	// The first time is soon, but not before it was seen what a crash has left without
	// a line in the audit log: a file that loses a name changes.
	const first = 2 * time.Second
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-timer.C:
		}
		if err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
			d.o.now().Log.Warn("old versions could not be swept", "err", err)
		}
		timer.Reset(d.o.now().Versions.sweepEvery())
	}
}

// sweep discards the stages of dead instances, and the partials that have expired.
// Which parts of such a stage were written is not known, unless it was saved: then
// it becomes a partial.
func (s *stages) sweep() error {
	dead, err := s.takeDead()
	for _, one := range dead {
		if err == nil {
			err = errors.Join(s.discardAll(one), removeFolder(s.topFd(), one.folder))
		}
		one.close()
	}
	return errors.Join(err, s.expire())
}

// deadInstance is the folder of an instance that has ended without leaving it.
type deadInstance struct {
	folder *os.File
	owner  *filelock.Lock // which this instance has now; nil is that it has none
}

func (d deadInstance) close() error {
	if d.owner == nil {
		return d.folder.Close()
	}
	return errors.Join(d.folder.Close(), d.owner.Close())
}

// takeDead takes the folders whose owners are dead, and makes partials of what was
// saved in them. An owner's lock tells: the kernel gives it back, or the server of a
// network file system does when the lease of a machine that is gone ends.
func (s *stages) takeDead() (dead []deadInstance, err error) {
	release, err := s.holdLock()
	if err != nil {
		return nil, err
	}
	defer release()
	for name, err := range s.others() {
		if err != nil {
			return dead, err
		}
		one, ok, err := s.takeOne(name)
		if err != nil {
			return dead, fmt.Errorf("%q: %w", name, err)
		}
		if ok {
			dead = append(dead, one)
		}
	}
	for _, one := range dead {
		err = errors.Join(err, s.recoverAll(one.folder))
	}
	return dead, err
}

// takeOne is false if the owner lives, or the folder has gone.
func (s *stages) takeOne(name string) (one deadInstance, ok bool, err error) {
	one.folder, err = dirfd.Open(s.topFd(), name)
	if err != nil {
		return one, false, unlessGone(err)
	}
	fd, err := unix.Openat(int(one.folder.Fd()), ownerName, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return one, true, nil // it began and got no further, or was not removed to the end
	}
	if err == nil {
		one.owner = filelock.New(os.NewFile(uintptr(fd), ownerName), int(one.folder.Fd()), ownerName)
		ok, err = one.owner.Try()
	}
	if !ok {
		one.close()
	}
	return one, ok, err
}

func unlessGone(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// recoverAll makes partials of the stages of a folder that were saved; the lock is
// held. A stage with a second name is that file, too: only the name goes.
func (s *stages) recoverAll(folder *os.File) error {
	var saved []savedName
	for name, err := range dirfd.Names(int(folder.Fd())) {
		if err != nil {
			return err
		}
		if i, regular, err := statAt(int(folder.Fd()), name); err == nil && regular && i.links > 1 {
			if err := s.discard(int(folder.Fd()), name); err != nil {
				return err
			}
			continue
		}
		if n, ok := parseSaved(name); ok && !hasBeaten(folder, n.partial) {
			saved = append(saved, n)
		}
	}
	return s.recover(folder, saved)
}

// discardAll empties a folder but for its owner's lock. It does without s.lock: large
// files may take long to go.
func (s *stages) discardAll(one deadInstance) error {
	fd := int(one.folder.Fd())
	for name, err := range dirfd.Names(fd) {
		if err != nil {
			return err
		}
		if name == ownerName {
			continue
		}
		if err := s.discard(fd, name); err != nil {
			return err
		}
	}
	return nil
}

// discard removes what a crash left.
func (s *stages) discard(folder int, name string) error {
	if err := unlessGone(unix.Unlinkat(folder, name, 0)); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	s.o.now().Log.Info("discarded what was left of an upload", "stage", name)
	return nil
}

// removeFolder removes an instance's folder, which has nothing but marks and a lock.
// Another may do the same.
func removeFolder(top int, folder *os.File) error {
	for name, err := range dirfd.Names(int(folder.Fd())) {
		if err != nil {
			return err
		}
		if name == ownerName || isBeaten(name) {
			if err := unlessGone(unix.Unlinkat(int(folder.Fd()), name, 0)); err != nil {
				return err
			}
		}
	}
	return unlessGone(unix.Unlinkat(top, folder.Name(), unix.AT_REMOVEDIR))
}

// expire removes the partials that cannot be resumed any more.
func (s *stages) expire() error {
	release, err := s.holdLock()
	if err != nil {
		return err
	}
	defer release()
	changed := false
	for name, err := range dirfd.Names(s.partialFd()) {
		if err != nil {
			return err
		}
		if s.isResumable(name) {
			continue
		}
		i, _ := s.statPartial(name)
		if err := s.discard(s.partialFd(), name); err != nil {
			return err
		}
		s.quota.Removed(i.size)
		changed = true
	}
	if !changed {
		return nil
	}
	return s.syncPartials()
}

// isOldStage tells of a file in the stage folder itself whether an older version has
// put it there.
func isOldStage(name string) bool {
	return isRandom(name) || isPartial(name) || strings.HasPrefix(name, savedPrefix)
}

// takeOver makes of the stage folder of a version that had it for itself one of this
// version: its partials and saved stages are kept, its stages discarded. The lock is
// held.
func (s *stages) takeOver() error {
	var kept, saved []string
	for e, err := range dirfd.Entries(s.topFd()) {
		if err != nil {
			return err
		}
		_, regular, err := statAt(s.topFd(), e.Name)
		switch {
		case err != nil || !regular || !isOldStage(e.Name):
		case isPartial(e.Name):
			kept = append(kept, e.Name)
		case strings.HasPrefix(e.Name, savedPrefix):
			saved = append(saved, e.Name)
		default:
			err = s.discard(s.topFd(), e.Name)
		}
		if err != nil {
			return err
		}
	}
	if len(kept)+len(saved) == 0 {
		return nil
	}
	for _, name := range kept {
		if err := unix.Renameat(s.topFd(), name, s.partialFd(), name); err != nil {
			return fmt.Errorf("take over a partial: %w", err)
		}
	}
	if err := errors.Join(s.recoverAll(s.top), s.syncPartials()); err != nil {
		return err
	}
	for _, name := range saved {
		if err := unlessGone(unix.Unlinkat(s.topFd(), name, 0)); err != nil {
			return err
		}
	}
	return s.o.now().sync(s.top)
}
