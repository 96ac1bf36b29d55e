package keys

import (
	"crypto/sha256"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// keyList is the lines of a file of keys, found by the key. They are found by a
// hash of all of it, so that the time tells neither how many lines there are nor
// how close an offered key came.
type keyList struct {
	lines []authorizedKey
	byKey map[[sha256.Size]byte][]int32 // where in lines
}

func newKeyList(lines []authorizedKey) *keyList {
	l := &keyList{lines: lines, byKey: make(map[[sha256.Size]byte][]int32, len(lines))}
	for i, line := range lines {
		sum := sha256.Sum256(line.key.Marshal())
		l.byKey[sum] = append(l.byKey[sum], int32(i))
	}
	return l
}

// listing are the lines that list a key to log in with.
func (l *keyList) listing(key ssh.PublicKey) []authorizedKey { return l.of(key, false) }

// signing are the lines that trust the certificates a key has signed.
func (l *keyList) signing(key ssh.PublicKey) []authorizedKey { return l.of(key, true) }

func (l *keyList) of(key ssh.PublicKey, authority bool) (found []authorizedKey) {
	for _, i := range l.byKey[sha256.Sum256(key.Marshal())] {
		if l.lines[i].authority == authority {
			found = append(found, l.lines[i])
		}
	}
	return found
}

// fileStamp is what changes when a file does.
type fileStamp struct {
	device, inode  uint64
	size           int64
	changed, wrote int64 // ctime and mtime, in nanoseconds
}

func stampOf(f *os.File) (fileStamp, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return fileStamp{uint64(st.Dev), uint64(st.Ino), st.Size, st.Ctim.Nano(), st.Mtim.Nano()}, err
}

// settledAfter is how old the last change must be for the stamp to tell the next
// one apart: clocks of file systems may go by the second.
const settledAfter = 2 * time.Second

// settled tells whether a file read at that time, or later, can't have changed
// since without another stamp. What is not a file has no stamp.
func (s fileStamp) settled(read time.Time) bool {
	return read.UnixNano()-max(s.changed, s.wrote) > int64(settledAfter)
}
