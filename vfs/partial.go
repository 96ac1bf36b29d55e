package vfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// Partial implements [Resume].
func (d *Dir) Partial(_ context.Context, owner, name string) (Info, error) {
	entry := partialName(owner, name)
	if owner == "" || nameFault(name) != "" || d.stages.expired(entry) {
		return Info{}, notExist()
	}
	i, err := d.stages.stat(entry)
	i.name = name
	return i.look(), err
}

func (s *stages) stat(entry string) (info, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(s.fd(), entry, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return info{}, storeError("stat", err)
	}
	i, regular := infoOf(entry, &st)
	if !regular {
		return info{}, notExist()
	}
	return i, nil
}

// expired tells whether a partial's time has come.
func (s *stages) expired(entry string) bool {
	i, err := s.stat(entry)
	return err == nil && time.Since(i.mtime) > s.rules.MaxAge
}

// takePartial makes a partial a stage again; two sessions cannot both have it.
func (s *stages) takePartial(owner, name string) (*stage, int64, error) {
	entry := partialName(owner, name)
	if owner == "" || s.expired(entry) {
		return nil, 0, notExist()
	}
	st, err := s.create()
	if err != nil {
		return nil, 0, err
	}
	if err := unix.Renameat(s.fd(), entry, s.fd(), st.name); err != nil {
		return nil, 0, errors.Join(storeError("take a partial", err), st.discard())
	}
	st.File.Close() // of the empty stage that it replaced
	fd, err := unix.Openat(s.fd(), st.name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, storeError("open a partial", err)
	}
	st.File = os.NewFile(uintptr(fd), st.name)
	i, err := s.stat(st.name)
	if err != nil {
		return nil, 0, errors.Join(err, st.discard())
	}
	return st, i.size, nil
}

// dropPartial removes a partial, if there is one.
func (s *stages) dropPartial(owner, name string) error {
	if owner == "" {
		return nil
	}
	return storeError("drop a partial", unix.Unlinkat(s.fd(), partialName(owner, name), 0))
}

// keep makes the first size bytes of the stage its owner's partial. They are
// synced first: after a crash of the machine too, what a partial has is right.
func (st *stage) keep(owner, name string, size int64) error {
	if err := errors.Join(st.Truncate(size), st.Sync()); err != nil {
		return storeError("keep a partial", err)
	}
	if err := st.in.makeRoom(owner, partialName(owner, name)); err != nil {
		return err
	}
	err := unix.Renameat(st.in.fd(), st.name, st.in.fd(), partialName(owner, name))
	return storeError("keep a partial", err)
}

// makeRoom removes an account's oldest partials until one more may be kept.
// The one called entry will be replaced and does not count.
func (s *stages) makeRoom(owner, entry string) error {
	var all []info
	for name, err := range folderNames(s.fd()) {
		if err != nil {
			return storeError("list the partials", err)
		}
		if !strings.HasPrefix(name, ownerPrefix(owner)) || name == entry {
			continue
		}
		if i, err := s.stat(name); err == nil {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b info) int { return a.mtime.Compare(b.mtime) })
	for len(all) >= s.rules.PerAccount {
		if err := unix.Unlinkat(s.fd(), all[0].name, 0); err != nil {
			return storeError("remove a partial", err)
		}
		all = all[1:]
	}
	return nil
}
