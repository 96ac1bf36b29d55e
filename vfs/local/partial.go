package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
	"shelf/vfs/local/quota"
)

// PartialRules says which beginnings of cut uploads are kept, and how long.
type PartialRules struct {
	MinSize    int64         // bytes
	PerAccount int           // the oldest goes first; with 0 none is kept
	MaxAge     time.Duration // since the last write
}

// DefaultPartialRules are from 1 MiB up, 32 an account, and 7 days.
func DefaultPartialRules() PartialRules {
	return PartialRules{MinSize: 1 << 20, PerAccount: 32, MaxAge: 7 * 24 * time.Hour}
}

// worth tells whether a partial of size bytes is kept for an account.
func (r PartialRules) worth(owner string, size int64) bool {
	return owner != "" && r.PerAccount > 0 && r.MaxAge > 0 && size >= r.MinSize
}

// A partial lies in a folder that all instances share, under a name made from its
// owner and its name, so that finding one is a stat and nobody else's can be found.
const partialPrefix = "partial-"

func isPartial(entry string) bool { return strings.HasPrefix(entry, partialPrefix) }

// ownerPrefix starts the names of all partials of an account.
func ownerPrefix(owner string) string { return partialPrefix + digest(owner) + "-" }

func partialName(owner, name string) string { return ownerPrefix(owner) + digest(name) }

// digestLen is the length of a digest, in bytes.
const digestLen = 32

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:digestLen/2])
}

// Partials implements [vfs.Usage].
func (d *Dir) Partials(context.Context) (n int, err error) {
	for name, err := range dirfd.Names(d.instance().partialFd()) {
		if err != nil {
			return n, vfs.SystemError("list the partials", err)
		}
		if isPartial(name) {
			n++
		}
	}
	return n, nil
}

// Partial implements [vfs.Resume].
func (d *Dir) Partial(_ context.Context, owner, name string) (vfs.Info, error) {
	entry := partialName(owner, name)
	if owner == "" || vfs.CheckName(name) != nil || !d.instance().isResumable(entry) {
		return vfs.Info{}, vfs.NotExist()
	}
	i, err := d.instance().statPartial(entry)
	i.name = name
	return i.public(), err
}

func (s *stages) statPartial(entry string) (info, error) { return statEntry(s.partialFd(), entry) }

// statEntry describes a file of a folder that only servers use.
func statEntry(folder int, entry string) (info, error) {
	i, regular, err := statAt(folder, entry)
	if err != nil {
		return info{}, vfs.SystemError("stat", err)
	}
	if !regular {
		return info{}, vfs.NotExist()
	}
	return i, nil
}

// isResumable tells whether a partial may be resumed: it has not expired, and it
// has no other name. With a second one, which a power cut can bring back, it is
// a published file too, which must not change.
func (s *stages) isResumable(entry string) bool {
	i, err := s.statPartial(entry)
	return err == nil && i.links == 1 && time.Since(i.mtime) <= s.o.now().Partials.MaxAge
}

// takePartial makes a partial a stage again; two sessions cannot both have it.
// From then on nothing has the partial's name, after a power cut too.
func (s *stages) takePartial(owner, name string) (*stage, int64, error) {
	entry := partialName(owner, name)
	if owner == "" || !s.isResumable(entry) {
		return nil, 0, vfs.NotExist()
	}
	fd, err := unix.Openat(s.partialFd(), entry, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, vfs.SystemError("open a partial", err)
	}
	st := &stage{File: os.NewFile(uintptr(fd), entry), in: s, of: entry}
	size, err := s.claim(st)
	if err != nil {
		st.File.Close()
		return nil, 0, err
	}
	if err := s.syncPartials(); err != nil {
		return nil, 0, errors.Join(err, st.discard(), s.quota.Hold(quota.CostOf(size), quota.Amount{}))
	}
	return st, size, nil
}

// claim moves an open partial into the instance's folder, unless the name stands for
// another file by now, which another session has kept. It tells the size, in bytes,
// which is charged as that of an upload from now on.
func (s *stages) claim(st *stage) (size int64, err error) {
	release, err := s.holdLock()
	if err != nil {
		return 0, err
	}
	defer release()
	open, err := (&dirFile{File: st.File}).stat()
	if err != nil {
		return 0, err
	}
	if i, err := s.statPartial(st.of); err != nil || i.id != open.id || i.links != 1 {
		return 0, vfs.NotExist()
	}
	st.name = stageName(st.of)
	if err := unix.Renameat(s.partialFd(), st.of, s.fd(), st.name); err != nil {
		return 0, vfs.SystemError("take a partial", err)
	}
	s.quota.Resume(quota.CostOf(open.size))
	return open.size, nil
}

// dropOlder makes mine the attempt that counts: what its owner could resume of
// earlier ones is gone, after a power cut too, since what is uploaded anew must
// not be taken for its continuation.
func (s *stages) dropOlder(mine attempt) error {
	var disowned, removed bool
	_, err := s.win(mine, func(r *rivals) (err error) {
		if r.winner == mine.number {
			return nil // it was dropped when mine won, and who keeps a partial wins
		}
		if disowned, err = r.disown(mine); err == nil {
			removed, err = s.removePartial(mine.entry)
		}
		return err
	})
	if err == nil && disowned {
		err = s.sync()
	}
	if err == nil && removed {
		err = s.syncPartials()
	}
	return err
}

// removePartial tells whether there was one.
func (s *stages) removePartial(entry string) (bool, error) {
	i, err := s.statPartial(entry)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := unix.Unlinkat(s.partialFd(), entry, 0); err != nil {
		return false, vfs.SystemError("drop a partial", err)
	}
	s.quota.Removed(i.size)
	return true, nil
}

// keep makes the first size bytes of the stage its owner's partial. They are
// synced first: after a crash of the machine too, what a partial has is right.
// It is kept only if mine is still the attempt that counts. What the upload held of
// limits is the partial's then.
func (st *stage) keep(mine attempt, size int64, held quota.Amount) (kept bool, err error) {
	if err := errors.Join(st.Truncate(size), st.Sync()); err != nil {
		return false, vfs.SystemError("keep a partial", err)
	}
	s := st.in
	st.release()
	kept, err = s.win(mine, func(r *rivals) error {
		disowned, err := r.disown(mine)
		if err != nil {
			return err
		}
		if err := s.makePartial(s.folder, st.name, mine.entry); err != nil {
			return err
		}
		s.quota.Settle(held, size)
		if !disowned && st.saved.Load() == 0 {
			return nil
		}
		// What was saved must not come back after the partial was taken, which another
		// instance can do from here on.
		st.saved.Store(0)
		return errors.Join(s.syncPartials(), s.sync())
	})
	if err != nil || !kept {
		return kept, err
	}
	return true, s.syncPartials()
}

// makePartial makes a partial of a stage in an instance's folder; the lock is held.
func (s *stages) makePartial(folder *os.File, stage, entry string) error {
	if err := s.makeRoom(entry); err != nil {
		return err
	}
	old, err := s.statPartial(entry)
	replaces := err == nil
	if err := unix.Renameat(int(folder.Fd()), stage, s.partialFd(), entry); err != nil {
		return vfs.SystemError("keep a partial", err)
	}
	if replaces {
		s.quota.Removed(old.size)
	}
	return nil
}

// makeRoom removes an account's oldest partials until the one called entry may
// be kept. One of that name will be replaced and does not count.
func (s *stages) makeRoom(entry string) error {
	owner := entry[:strings.LastIndexByte(entry, '-')+1]
	var all []info
	for name, err := range dirfd.Names(s.partialFd()) {
		if err != nil {
			return vfs.SystemError("list the partials", err)
		}
		if !strings.HasPrefix(name, owner) || name == entry {
			continue
		}
		if i, err := s.statPartial(name); err == nil {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b info) int { return a.mtime.Compare(b.mtime) })
	for len(all) >= s.o.now().Partials.PerAccount {
		if err := unix.Unlinkat(s.partialFd(), all[0].name, 0); err != nil {
			return vfs.SystemError("remove a partial", err)
		}
		s.quota.Removed(all[0].size)
		all = all[1:]
	}
	return nil
}
