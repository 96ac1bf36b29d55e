package quota

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"time"

	"shelf/vfs"
)

// Servers are all that have the library open.
type Servers interface {
	// Lock waits for the lock of all of them. The function that it returns gives it back.
	Lock() (release func(), err error)
	// Share is the file in which this one tells its share.
	Share() *os.File
	// Others yields the names of the others that may be alive.
	Others() iter.Seq2[string, error]
	// ShareOf opens the file of another one; it is nil if that one has gone.
	ShareOf(other string) (*os.File, error)
}

// Share has the other servers be asked and told; nil ends that.
func (q *Quota) Share(with Servers) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shared != nil {
		q.shared.close()
		q.shared = nil
	}
	if with != nil {
		q.shared = &shares{servers: with}
	}
	q.counted = time.Time{}
}

// Leave has this server tell the others that it holds nothing.
func Leave(s Servers) error { return (&shares{servers: s}).tell(share{}) }

// tell has the other servers know what this one holds; mu is held.
func (q *Quota) tell() error {
	if q.shared == nil || !q.Counts() {
		return nil
	}
	return q.shared.tell(share{q.pledged, q.net()})
}

// net is what files and partials have become more by this server; mu is held.
func (q *Quota) net() Amount { return q.before.Plus(q.used).Minus(q.pledged).Minus(q.found) }

// ask finds out what the other servers hold; mu and the lock are held.
func (q *Quota) ask() error {
	gone, err := q.shared.ask()
	if gone {
		q.counted = time.Time{}
	}
	return err
}

// Pledged is what uploads hold, on all servers.
func (q *Quota) Pledged() (Amount, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pledged, err := q.pledged, q.ask()
	for _, other := range q.shared.last {
		pledged = pledged.Plus(other.pledged)
	}
	return pledged, err
}

// shares is what the servers of a library tell each other of its limits. Each
// writes its share into a file of its own, and reads the others' before it takes
// more. Both are done under the lock of all, so that all of them together do not pass a
// limit. An upload that needs less than before tells so without the lock.
//
// The share of a server that has died counts until its stages are swept, for they
// take room until then. When it has gone, the library is counted anew.
type shares struct {
	servers Servers
	files   map[string]*os.File // the others'
	base    map[string]share    // the others' shares when the library was counted
	last    map[string]share    // the others' shares when they were asked last
	sum     Amount              // what the others hold that was not counted
}

// share is a server's part of what a library holds.
type share struct {
	pledged Amount // to uploads under way
	net     Amount // what files and partials have become more by it, less if negative
}

const shareSize = 4*8 + 4 // bytes: four numbers and their CRC-32

func (s share) encode() []byte {
	b := make([]byte, 0, shareSize)
	for _, n := range []int64{s.pledged.Bytes, s.pledged.Files, s.net.Bytes, s.net.Files} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeShare is false if a write was seen half.
func decodeShare(b []byte) (s share, ok bool) {
	const sum = shareSize - 4
	for i, n := range []*int64{&s.pledged.Bytes, &s.pledged.Files, &s.net.Bytes, &s.net.Files} {
		*n = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return s, crc32.ChecksumIEEE(b[:sum]) == binary.LittleEndian.Uint32(b[sum:])
}

// tell has the others know this server's share.
func (s *shares) tell(mine share) error {
	_, err := s.servers.Share().WriteAt(mine.encode(), 0)
	return vfs.SystemError("tell other servers of a limit", err)
}

// ask finds out what the others hold. It tells whether one has gone, so that the
// library must be counted anew.
func (s *shares) ask() (gone bool, err error) {
	if s.last, err = s.read(); err != nil {
		return false, vfs.SystemError("ask other servers for a limit", err)
	}
	s.sum = Amount{}
	for name, other := range s.last {
		s.sum = s.sum.Plus(other.pledged).Plus(other.net).Minus(s.base[name].net)
	}
	for name := range s.base {
		if _, ok := s.last[name]; !ok {
			gone = true
		}
	}
	return gone, nil
}

// counted is told that the library was counted just now.
func (s *shares) counted() (err error) {
	if s.base, err = s.read(); err != nil {
		return vfs.SystemError("ask other servers for a limit", err)
	}
	_, err = s.ask()
	return err
}

// read reads the shares of all others.
func (s *shares) read() (map[string]share, error) {
	found := make(map[string]share)
	for name, err := range s.servers.Others() {
		if err != nil {
			return nil, err
		}
		f, err := s.file(name)
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
	for name, f := range s.files {
		if _, ok := found[name]; !ok {
			f.Close()
			delete(s.files, name)
		}
	}
	return found, nil
}

// file is the open file of another server, or nil if that one has gone.
func (s *shares) file(other string) (*os.File, error) {
	if f := s.files[other]; f != nil {
		return f, nil
	}
	f, err := s.servers.ShareOf(other)
	if f == nil || err != nil {
		return nil, err
	}
	if s.files == nil {
		s.files = make(map[string]*os.File)
	}
	s.files[other] = f
	return f, nil
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
		if told, ok := decodeShare(b); ok && n == shareSize {
			return told, nil
		}
	}
	return share{}, errors.New("the share of another server cannot be read")
}

func (s *shares) close() {
	for _, f := range s.files {
		f.Close()
	}
}
