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
	"shelf/vfs/local/dirfd"
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
	removed := false
	won, err := st.in.win(mine, func(r *rivals) (err error) {
		if _, err := r.disown(mine); err != nil {
			return err
		}
		if removed, err = st.in.removePartial(mine.entry); err != nil {
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
	if err := st.in.folder.Sync(); err != nil || !removed {
		return vfs.SystemError("fsync", err)
	}
	return vfs.SystemError("fsync", st.in.partials.Sync())
}

// unsave takes that back: what was saved is about to change.
func (st *stage) unsave() error {
	st.release()
	if st.saved.Load() == 0 {
		return nil
	}
	if err := st.rename(stageName(st.of)); err != nil {
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

// recover makes partials of the stages of a folder that were saved when the server or
// the machine crashed. A saved stage is later than a partial of the same name.
func (s *stages) recover(folder *os.File, saved []savedName) error {
	if len(saved) == 0 {
		return nil
	}
	published, err := publishedNames(int(s.library.Fd()))
	if err != nil {
		return err
	}
	for _, n := range saved {
		if published[n.partial[len(n.partial)-digestLen:]] || s.o.now().Partials.PerAccount == 0 || !isLatest(folder, n, saved) {
			err = unix.Unlinkat(int(folder.Fd()), n.entry, 0)
		} else {
			err = s.recoverOne(folder, n)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", n.entry, err)
		}
	}
	return s.syncPartials()
}

// isLatest tells whether a saved stage is the one to recover: it has what its
// name says, and of several for one partial, which a power cut can leave, it is
// the latest.
func isLatest(folder *os.File, n savedName, saved []savedName) bool {
	mine, err := statEntry(int(folder.Fd()), n.entry)
	return err == nil && mine.links == 1 && mine.size >= n.size && !slices.ContainsFunc(saved, func(other savedName) bool {
		i, err := statEntry(int(folder.Fd()), other.entry)
		return other.partial == n.partial && other.entry != n.entry && err == nil && i.mtime.After(mine.mtime)
	})
}

func (s *stages) recoverOne(folder *os.File, n savedName) error {
	fd, err := unix.Openat(int(folder.Fd()), n.entry, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
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
	return s.makePartial(folder, n.entry, n.partial)
}

// publishedNames are the digests of the names in a library, as partials have
// them.
func publishedNames(library int) (map[string]bool, error) {
	all := make(map[string]bool)
	for name, err := range dirfd.Names(library) {
		if err != nil {
			return nil, err
		}
		all[digest(name)] = true
	}
	return all, nil
}
