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

// A partial lies in the stage folder under a name made from its owner and its
// name, so that finding one is a stat and nobody else's can be found.
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

// Partial implements [vfs.Resume].
func (d *Dir) Partial(_ context.Context, owner, name string) (vfs.Info, error) {
	entry := partialName(owner, name)
	if owner == "" || vfs.CheckName(name) != nil || !d.stages.isResumable(entry) {
		return vfs.Info{}, vfs.NotExist()
	}
	i, err := d.stages.stat(entry)
	i.name = name
	return i.public(), err
}

func (s *stages) stat(entry string) (info, error) {
	i, regular, err := statAt(s.fd(), entry)
	if err != nil {
		return info{}, vfs.SystemError("stat", err)
	}
	if !regular {
		return info{}, vfs.NotExist()
	}
	return i, nil
}

// isResumable tells whether a partial may be gone on with: its time has not
// come, and it has no other name. With a second one, which a power cut can
// bring back, it is a published file too, which must not change.
func (s *stages) isResumable(entry string) bool {
	i, regular, err := statAt(s.fd(), entry)
	return err == nil && regular && i.links == 1 && time.Since(i.mtime) <= s.o.Partials.MaxAge
}

// takePartial makes a partial a stage again; two sessions cannot both have it.
// From then on nothing has the partial's name, after a power cut too.
func (s *stages) takePartial(owner, name string) (*stage, int64, error) {
	entry := partialName(owner, name)
	if owner == "" || !s.isResumable(entry) {
		return nil, 0, vfs.NotExist()
	}
	st, err := s.create()
	if err != nil {
		return nil, 0, err
	}
	s.attempts.mu.Lock()
	err = unix.Renameat(s.fd(), entry, s.fd(), st.name)
	s.attempts.mu.Unlock()
	if err != nil {
		return nil, 0, errors.Join(vfs.SystemError("take a partial", err), st.discard())
	}
	st.File.Close() // of the empty stage that it replaced
	fd, err := unix.Openat(s.fd(), st.name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, vfs.SystemError("open a partial", err)
	}
	st.File = os.NewFile(uintptr(fd), st.name)
	i, err := s.stat(st.name)
	if err = errors.Join(err, s.sync()); err != nil {
		return nil, 0, errors.Join(err, st.discard())
	}
	return st, i.size, nil
}

// dropPartial removes a partial, if there is one: after a power cut too, since
// what is uploaded anew must not be taken for its continuation.
func (s *stages) dropPartial(owner, name string) error {
	if owner == "" {
		return nil
	}
	entry := partialName(owner, name)
	i, err := s.stat(entry)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := unix.Unlinkat(s.fd(), entry, 0); err != nil {
		return vfs.SystemError("drop a partial", err)
	}
	s.usage.removed(i.size)
	return s.sync()
}

// keep makes the first size bytes of the stage its owner's partial. They are
// synced first: after a crash of the machine too, what a partial has is right.
// It is kept only if mine is still the attempt that counts.
func (st *stage) keep(mine attempt, size int64) (kept bool, err error) {
	if err := errors.Join(st.Truncate(size), st.Sync()); err != nil {
		return false, vfs.SystemError("keep a partial", err)
	}
	s := st.in
	kept, err = s.attempts.win(mine, func() error { return s.makePartial(st.name, mine.entry) })
	if err != nil || !kept {
		return kept, err
	}
	st.saved = 0
	return true, s.sync()
}

// makePartial gives a stage the name of a partial.
func (s *stages) makePartial(stage, entry string) error {
	if err := s.makeRoom(entry); err != nil {
		return err
	}
	old, err := s.stat(entry)
	replaces := err == nil
	if err := unix.Renameat(s.fd(), stage, s.fd(), entry); err != nil {
		return vfs.SystemError("keep a partial", err)
	}
	if replaces {
		s.usage.removed(old.size)
	}
	return nil
}

// makeRoom removes an account's oldest partials until the one called entry may
// be kept. One of that name will be replaced and does not count.
func (s *stages) makeRoom(entry string) error {
	owner := entry[:strings.LastIndexByte(entry, '-')+1]
	var all []info
	for name, err := range folderNames(s.fd()) {
		if err != nil {
			return vfs.SystemError("list the partials", err)
		}
		if !strings.HasPrefix(name, owner) || name == entry {
			continue
		}
		if i, err := s.stat(name); err == nil {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b info) int { return a.mtime.Compare(b.mtime) })
	for len(all) >= s.o.Partials.PerAccount {
		if err := unix.Unlinkat(s.fd(), all[0].name, 0); err != nil {
			return vfs.SystemError("remove a partial", err)
		}
		s.usage.removed(all[0].size)
		all = all[1:]
	}
	return nil
}
