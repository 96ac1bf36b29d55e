package access

import (
	"context"
	"crypto/sha256"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"shelf/vfs"
)

// Sums tells the SHA-256 of what is published, for events: it is computed as the
// bytes come in. It remembers them, so that an event can also tell that of what
// was replaced or read. One serves all sessions of a server. A nil Sums tells none.
//
// It knows a file by its Version. What another program does to a file within a tick
// of the file system's clock may go unseen.
type Sums struct {
	always atomic.Bool
	spent  atomic.Int64 // nanoseconds

	mu    sync.Mutex
	of    map[vfs.Version][sha256.Size]byte // mu
	order [maxSums]vfs.Version              // those of it, as a ring; mu
	next  int                               // mu
}

// maxSums is how many are remembered: some 3 MiB of memory.
const maxSums = 1 << 14

// NewSums remembers nothing yet.
func NewSums() *Sums { return &Sums{of: make(map[vfs.Version][sha256.Size]byte)} }

// SetAlways says whether an upload is read again if its bytes did not come in
// order. Otherwise its SHA-256 is not told.
func (s *Sums) SetAlways(always bool) { s.always.Store(always) }

// HashTime is how long was spent on computing, by all goroutines together.
func (s *Sums) HashTime() time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(s.spent.Load())
}

// note remembers what a version has.
func (s *Sums) note(v vfs.Version, sum []byte) {
	if s == nil || len(sum) != sha256.Size || v == (vfs.Version{}) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.of[v]; !known {
		delete(s.of, s.order[s.next])
		s.order[s.next] = v
		s.next = (s.next + 1) % maxSums
	}
	s.of[v] = [sha256.Size]byte(sum)
}

// known is the SHA-256 of a version, or nil.
func (s *Sums) known(v vfs.Version) []byte {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sum, ok := s.of[v]; ok {
		return sum[:]
	}
	return nil
}

// Content is what is known of a version; nil is that there is none.
func (s *Sums) Content(i vfs.Info) *vfs.Content {
	if i.Version == (vfs.Version{}) {
		return nil
	}
	return &vfs.Content{Size: i.Size, SHA256: s.known(i.Version), Version: i.Version}
}

// moved is told of a change that leaves the content as it is.
func (s *Sums) moved(c vfs.Change) { s.note(c.After.Version, s.known(c.Before.Version)) }

// begin is the sum of an upload.
func (s *Sums) begin() *summing {
	if s == nil {
		return nil
	}
	return &summing{in: s}
}

// summing is the SHA-256 of an upload in the making: of its bytes up to end, if
// they are still what was hashed. It belongs to the goroutine of the upload.
type summing struct {
	in    *Sums
	hash  hash.Hash
	end   int64
	stale bool // a byte before end was written again
}

// wrote is told of bytes that were written at off.
func (s *summing) wrote(p []byte, off int64) {
	switch {
	case s == nil || s.stale || off > s.end:
	case off < s.end:
		s.stale = true
	default:
		s.add(p)
	}
}

func (s *summing) add(p []byte) {
	if s.hash == nil {
		s.hash = sha256.New()
	}
	start := time.Now()
	s.hash.Write(p)
	s.in.spent.Add(int64(time.Since(start)))
	s.end += int64(len(p))
}

// resized is told of another length.
func (s *summing) resized(size int64) {
	if s != nil && size < s.end {
		s.stale = true
	}
}

// of is the sum of the upload as it is now; nil is that it is not known, or that
// nobody waits for it any more.
func (s *summing) of(ctx context.Context, up vfs.Upload) []byte {
	if s == nil {
		return nil
	}
	i, err := up.Stat()
	if err != nil || (s.stale || s.end != i.Size) && !s.in.always.Load() {
		return nil
	}
	if s.stale {
		s.hash, s.end, s.stale = nil, 0, false
	}
	if s.end < i.Size && !s.catchUp(ctx, up, i.Size) {
		return nil
	}
	s.add(nil) // makes the hash of nothing
	return s.hash.Sum(nil)
}

// readAgain is how much is read at a time, in bytes.
const readAgain = 256 << 10

// catchUp reads what was not hashed.
func (s *summing) catchUp(ctx context.Context, up vfs.Upload, size int64) bool {
	buffer := make([]byte, readAgain)
	for s.end < size {
		n, _ := up.ReadAt(buffer[:min(readAgain, size-s.end)], s.end)
		if n == 0 || ctx.Err() != nil {
			return false // Commit will say why
		}
		s.add(buffer[:n])
	}
	return true
}
