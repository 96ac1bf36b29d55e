package local

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// ledger is what the instances of a library tell each other of its limits. Each
// writes its share into its own owner file, and reads the others' before it takes
// more. Both are done under stages.lock, so that all of them together do not pass a
// limit. An upload that needs less than before tells so without the lock.
//
// The share of an instance that has died counts until its stages are swept, for they
// take room until then. When it has gone, the library is counted anew.
type ledger struct {
	s     *stages
	files map[string]*os.File // the others' owner files
	base  map[string]share    // the others' shares when the library was counted
	last  map[string]share    // the others' shares when they were asked last
	sum   amount              // what the others hold that was not counted
}

// share is an instance's part of what a library holds.
type share struct {
	pledged amount // to uploads under way
	net     amount // what files and partials have become more by it, less if negative
}

const shareSize = 4*8 + 4 // bytes: four numbers and their CRC-32

func (s share) encode() []byte {
	b := make([]byte, 0, shareSize)
	for _, n := range []int64{s.pledged.bytes, s.pledged.files, s.net.bytes, s.net.files} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeShare is false if a write was seen half.
func decodeShare(b []byte) (s share, ok bool) {
	const sum = shareSize - 4
	for i, n := range []*int64{&s.pledged.bytes, &s.pledged.files, &s.net.bytes, &s.net.files} {
		*n = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return s, crc32.ChecksumIEEE(b[:sum]) == binary.LittleEndian.Uint32(b[sum:])
}

// tell has the others know this instance's share.
func (l *ledger) tell(mine share) error {
	_, err := l.s.owner.File().WriteAt(mine.encode(), 0)
	return vfs.SystemError("tell other servers of a limit", err)
}

// ask finds out what the others hold. It tells whether one has gone, so that the
// library must be counted anew.
func (l *ledger) ask() (gone bool, err error) {
	if l.last, err = l.shares(); err != nil {
		return false, vfs.SystemError("ask other servers for a limit", err)
	}
	l.sum = amount{}
	for name, s := range l.last {
		l.sum = l.sum.plus(s.pledged).plus(s.net).minus(l.base[name].net)
	}
	for name := range l.base {
		if _, ok := l.last[name]; !ok {
			gone = true
		}
	}
	return gone, nil
}

// counted is told that the library was counted just now.
func (l *ledger) counted() (err error) {
	if l.base, err = l.shares(); err != nil {
		return vfs.SystemError("ask other servers for a limit", err)
	}
	_, err = l.ask()
	return err
}

// shares reads the shares of all others.
func (l *ledger) shares() (map[string]share, error) {
	found := make(map[string]share)
	for name, err := range l.s.others() {
		if err != nil {
			return nil, err
		}
		f, err := l.file(name)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if found[name], err = readShare(f); err != nil {
			return nil, err
		}
	}
	for name, f := range l.files {
		if _, ok := found[name]; !ok {
			f.Close()
			delete(l.files, name)
		}
	}
	return found, nil
}

// file is the owner file of another instance, or nil if it has gone.
func (l *ledger) file(instance string) (*os.File, error) {
	if f := l.files[instance]; f != nil {
		return f, nil
	}
	fd, err := unix.Openat(l.s.topFd(), instance+"/"+ownerName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, unlessGone(err)
	}
	if l.files == nil {
		l.files = make(map[string]*os.File)
	}
	l.files[instance] = os.NewFile(uintptr(fd), ownerName)
	return l.files[instance], nil
}

// maxReads is how often a share is read that is being written.
const maxReads = 100

// readShare reads a share; that of an instance that has told nothing is zero.
func readShare(f *os.File) (share, error) {
	b := make([]byte, shareSize)
	for range maxReads {
		n, err := f.ReadAt(b, 0)
		if n == 0 && err == io.EOF {
			return share{}, nil
		}
		if err != nil && err != io.EOF {
			return share{}, err
		}
		if s, ok := decodeShare(b); ok && n == shareSize {
			return s, nil
		}
	}
	return share{}, errors.New("the share of another server cannot be read")
}

func (l *ledger) close() {
	for _, f := range l.files {
		f.Close()
	}
}
