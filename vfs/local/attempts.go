package local

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
)

// attempts knows the uploads under way by owner and name, so that at most one
// beginning of them is there to be resumed: that of the latest that counts. Its
// client may have begun anew while an old session was still open, and would else
// go on with the beginning of another file.
//
// Other instances have attempts, too. Theirs are found by the names of their stages.
type attempts struct {
	mu   sync.Mutex         // held while a partial is made, and a stage saved; taken after stages.lock
	live map[string]*rivals // by the name of the partial
}

// rivals are the attempts under way that would keep the same partial.
type rivals struct {
	count  int
	winner uint64 // the latest that started from nothing, was saved, kept or published
	saved  *stage // of one of them, or nil; see save
}

// attempt is one upload. The zero attempt, of nobody, keeps nothing.
type attempt struct {
	entry  string // of the partial that it would keep
	number uint64 // later ones have higher numbers
}

// beatenPrefix starts the name of a mark in an instance's folder, which has the
// digests of a partial's name: an attempt of another instance has won. The mark holds
// its number, and goes when it is heeded.
const beatenPrefix = "beaten-"

func beatenName(partial string) string {
	return beatenPrefix + strings.TrimPrefix(partial, partialPrefix)
}

func isBeaten(name string) bool { return strings.HasPrefix(name, beatenPrefix) }

// hasBeaten tells whether a folder has the mark of a partial.
func hasBeaten(folder *os.File, partial string) bool {
	_, _, err := statAt(int(folder.Fd()), beatenName(partial))
	return err == nil
}

// beginAttempt notes an upload.
func (s *stages) beginAttempt(owner, name string) (attempt, error) {
	if owner == "" {
		return attempt{}, nil
	}
	release, err := s.holdLock()
	if err != nil {
		return attempt{}, err
	}
	defer release()
	a := &s.attempts
	a.mu.Lock()
	defer a.mu.Unlock()
	mine := attempt{entry: partialName(owner, name)}
	if mine.number, err = nextNumber(s.lock.File()); err != nil {
		return attempt{}, vfs.SystemError("number an upload", err)
	}
	if a.live == nil {
		a.live = make(map[string]*rivals)
	}
	if a.live[mine.entry] == nil {
		a.live[mine.entry] = new(rivals)
	}
	a.live[mine.entry].count++
	return mine, nil
}

// nextNumber is a number that is higher than all before, in all instances. The file
// has the last one; its lock is held.
func nextNumber(f *os.File) (uint64, error) {
	last, err := readNumber(f, 0)
	if err != nil {
		return 0, err
	}
	return last + 1, writeNumber(f, last+1, 0)
}

// readNumber reads what writeNumber wrote; if there is nothing it is 0.
func readNumber(f *os.File, at int64) (uint64, error) {
	var b [8]byte
	if _, err := f.ReadAt(b[:], at); err != nil && err != io.EOF {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func writeNumber(f *os.File, n uint64, at int64) error {
	_, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, n), at)
	return err
}

// win runs do, unless a later attempt has won, and makes mine the winner: of those
// of all instances. s.lock is held for that.
func (s *stages) win(mine attempt, do func(*rivals) error) (won bool, err error) {
	if mine.entry == "" {
		return false, nil
	}
	release, err := s.holdLock()
	if err != nil {
		return false, err
	}
	defer release()
	a := &s.attempts
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.live[mine.entry]
	if r == nil {
		return false, nil
	}
	if err := s.heed(r, mine.entry); err != nil {
		return false, err
	}
	if r.winner > mine.number {
		return false, nil
	}
	if err := errors.Join(do(r), s.beatOthers(mine)); err != nil {
		return false, err
	}
	r.winner = mine.number
	return true, nil
}

// heed has the attempts of this instance lose that another's has beaten.
func (s *stages) heed(r *rivals, entry string) error {
	name := beatenName(entry)
	fd, err := unix.Openat(s.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return vfs.SystemError("open a mark", unlessGone(err))
	}
	mark := os.NewFile(uintptr(fd), name)
	defer mark.Close()
	winner, err := readNumber(mark, 0)
	if err != nil {
		return vfs.SystemError("read a mark", err)
	}
	if r.saved != nil && r.winner < winner {
		if err := errors.Join(r.disownSaved(), s.sync()); err != nil {
			return err
		}
	}
	r.winner = max(r.winner, winner)
	return vfs.SystemError("remove a mark", unlessGone(unix.Unlinkat(s.fd(), name, 0)))
}

// beatOthers leaves a mark with each instance that has an attempt under way for the
// same partial.
func (s *stages) beatOthers(mine attempt) error {
	others, err := s.beside()
	if err != nil {
		return vfs.SystemError("read the stage folder", err)
	}
	for _, name := range others {
		if err := s.beat(name, mine); err != nil {
			return vfs.SystemError("mark the folder of another server", err)
		}
	}
	return nil
}

func (s *stages) beat(instance string, mine attempt) error {
	folder, err := dirfd.Open(s.topFd(), instance)
	if err != nil {
		return unlessGone(err)
	}
	defer folder.Close()
	for name, err := range dirfd.Names(int(folder.Fd())) {
		if err != nil {
			return unlessGone(err)
		}
		if isStageOf(name, mine.entry) {
			return s.mark(folder, mine)
		}
	}
	return nil
}

// mark syncs the mark: what was saved must not come back after a power cut.
func (s *stages) mark(folder *os.File, mine attempt) error {
	name := beatenName(mine.entry)
	fd, err := unix.Openat(int(folder.Fd()), name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return unlessGone(err)
	}
	mark := os.NewFile(uintptr(fd), name)
	defer mark.Close()
	if was, err := readNumber(mark, 0); err != nil || was >= mine.number {
		return err
	}
	return errors.Join(writeNumber(mark, mine.number, 0), s.o.now().sync(folder))
}

// disown takes from an earlier attempt than mine what it has saved; the caller,
// who is winning, syncs the stage folder. It tells whether there was something.
func (r *rivals) disown(mine attempt) (bool, error) {
	if r.saved == nil || r.winner == mine.number {
		return false, nil
	}
	return true, r.disownSaved()
}

func (r *rivals) disownSaved() error {
	if err := r.saved.rename(stageName(r.saved.of)); err != nil {
		return err
	}
	r.saved.saved.Store(0)
	r.saved = nil
	return nil
}

// release has no other attempt touch a stage that was saved.
func (a *attempts) release(mine attempt, st *stage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.live[mine.entry]; r != nil && r.saved == st {
		r.saved = nil
	}
}

// end forgets an attempt, whose stage was released.
func (a *attempts) end(mine attempt) {
	if mine.entry == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.live[mine.entry]; r.count == 1 {
		delete(a.live, mine.entry)
	} else {
		r.count--
	}
}
