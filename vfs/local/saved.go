package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// What a client has asked to be synced (fsync@openssh.com) survives a crash as
// its owner's partial, as after a lost connection. Until the upload ends its
// stage has a name that says whose partial it would be, and how long:
//
//	saved-<digest of owner>-<digest of name>-<bytes>-<random>

const savedPrefix = "saved-"

// savedName is such a name.
type savedName struct {
	entry   string // as it is
	partial string // the name of the partial
	size    int64  // bytes
}

func parseSaved(entry string) (n savedName, ok bool) {
	rest, ok := strings.CutPrefix(entry, savedPrefix)
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 4 || len(parts[0]) != digestLen || len(parts[1]) != digestLen {
		return n, false
	}
	size, err := strconv.ParseInt(parts[2], 10, 64)
	return savedName{entry, partialPrefix + parts[0] + "-" + parts[1], size}, err == nil && size > 0
}

// save gives the stage a name that says that its first size bytes, which are
// synced, are the beginning that mine would keep. It takes the place of a
// partial, and of what earlier attempts saved; if a later attempt counts,
// nothing is saved.
func (st *stage) save(mine attempt, size int64) error {
	if size == st.saved.Load() {
		return nil
	}
	name := fmt.Sprintf("%s%s-%d-%s", savedPrefix, strings.TrimPrefix(mine.entry, partialPrefix), size, rand.Text())
	won, err := st.in.attempts.win(mine, func(r *rivals) error {
		if _, err := r.disown(mine); err != nil {
			return err
		}
		if _, err := st.in.removePartial(mine.entry); err != nil {
			return err
		}
		if err := st.rename(name); err != nil {
			return err
		}
		st.saved.Store(size)
		st.saver, r.saved = mine, st
		return nil
	})
	if err != nil || !won {
		return err
	}
	return vfs.SystemError("fsync", st.in.folder.Sync())
}

// unsave takes that back: what was saved is about to change.
func (st *stage) unsave() error {
	st.release()
	if st.saved.Load() == 0 {
		return nil
	}
	if err := st.rename(stageName()); err != nil {
		return err
	}
	return st.settleName()
}

// release is called before the stage leaves its name: until then a later attempt
// may give it another one.
func (st *stage) release() {
	if st.saver.entry != "" {
		st.in.attempts.release(st.saver, st)
		st.saver = attempt{}
	}
}

func (st *stage) rename(name string) error {
	if err := unix.Renameat(st.in.fd(), st.name, st.in.fd(), name); err != nil {
		return vfs.SystemError("rename a stage", err)
	}
	st.name = name
	return nil
}

// recover makes partials of the stages that were saved when the server or the
// machine crashed. A saved stage is later than a partial of the same name.
func (s *stages) recover(saved []savedName, library int) error {
	if len(saved) == 0 {
		return nil
	}
	published, err := publishedNames(library)
	if err != nil {
		return err
	}
	for _, n := range saved {
		if published[n.partial[len(n.partial)-digestLen:]] || s.o.now().Partials.PerAccount == 0 || !s.isLatest(n, saved) {
			err = unix.Unlinkat(s.fd(), n.entry, 0)
		} else {
			err = s.recoverOne(n)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", n.entry, err)
		}
	}
	return nil
}

// isLatest tells whether a saved stage is the one to recover: it has what its
// name says, and of several for one partial, which a power cut can leave, it is
// the latest.
func (s *stages) isLatest(n savedName, saved []savedName) bool {
	mine, err := s.stat(n.entry)
	return err == nil && mine.links == 1 && mine.size >= n.size && !slices.ContainsFunc(saved, func(other savedName) bool {
		i, err := s.stat(other.entry)
		return other.partial == n.partial && other.entry != n.entry && err == nil && i.mtime.After(mine.mtime)
	})
}

func (s *stages) recoverOne(n savedName) error {
	fd, err := unix.Openat(s.fd(), n.entry, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), n.entry)
	defer f.Close()
	// Its time may be what the client had asked for; it is kept from now on.
	now := unix.NsecToTimespec(time.Now().UnixNano())
	if err := errors.Join(f.Truncate(n.size), setTimes(fd, now, now), f.Sync()); err != nil {
		return err
	}
	s.o.now().Log.Info("kept the beginning of an upload that had been synced", "bytes", n.size)
	return s.makePartial(n.entry, n.partial)
}

// publishedNames are the digests of the names in a library, as partials have
// them.
func publishedNames(library int) (map[string]bool, error) {
	all := make(map[string]bool)
	for name, err := range folderNames(library) {
		if err != nil {
			return nil, err
		}
		all[digest(name)] = true
	}
	return all, nil
}
