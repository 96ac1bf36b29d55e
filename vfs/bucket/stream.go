package bucket

import (
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// stream is an answer of the store that is being read. The system reads it ahead, as
// far as the buffers of the connection go.
type stream struct {
	body    io.ReadCloser
	at, end int64 // where the next byte is, and where there are no more
}

// maxSkip is how many bytes of a stream are rather read for nothing than asking for
// another one: less than a round trip's worth.
const maxSkip = 512 << 10

// reaches tells whether a stream comes to an offset soon.
func (s stream) reaches(off int64) bool {
	return s.body != nil && off >= s.at && off-s.at <= maxSkip && off < s.end
}

// maxReopens is how often reading goes on with another answer after one that was cut,
// before it has brought anything.
const maxReopens = 4

// idleAfter is how long a stream is kept that nobody reads.
const idleAfter = 15 * time.Second

// setStream makes a stream the one that is read, and closes the one before; mu is held
// or nobody else has the file.
func (f *file) setStream(s stream) {
	if f.stream.body != nil {
		f.stream.body.Close()
	}
	if f.idle != nil {
		f.idle.Stop()
		f.idle = nil
	}
	f.stream = s
	if s.body == nil {
		return
	}
	var idle *time.Timer
	idle = time.AfterFunc(idleAfter, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.idle == idle {
			f.setStream(stream{})
		}
	})
	f.idle = idle
}

// readOn fills p from the stream at off, and opens one if need be; mu is held.
func (f *file) readOn(p []byte, off int64) (n int, err error) {
	for failed := 0; n < len(p); {
		at := off + int64(n)
		if !f.stream.reaches(at) {
			s, err := f.openAt(at, 0)
			if err != nil {
				return n, err
			}
			f.setStream(s)
		}
		got, err := f.stream.read(p[n:], at)
		n += got
		if got > 0 {
			failed = 0
		}
		if err == nil {
			continue
		}
		f.setStream(stream{})
		if failed++; failed > maxReopens || f.ctx.Err() != nil {
			return n, err
		}
	}
	if f.idle != nil {
		f.idle.Reset(idleAfter)
	}
	return n, nil
}

// read reads from a stream as much as it has, up to all of p.
func (s *stream) read(p []byte, off int64) (int, error) {
	if off > s.at {
		skipped, err := io.CopyN(io.Discard, s.body, off-s.at)
		s.at += skipped
		if err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(s.body, p[:min(int64(len(p)), s.end-s.at)])
	s.at += int64(n)
	return n, err
}

// openAt asks for n bytes from an offset on, of the version that is open; n 0 is all.
func (f *file) openAt(off, n int64) (stream, error) {
	version, etag := f.l.version, f.l.etag
	if version != "" {
		etag = "" // old versions are found by their id alone
	}
	o, err := f.b.store.get(f.ctx, f.b.store.fileKey(f.l.name), span{off, n}, etag, version)
	if err != nil {
		return stream{}, err
	}
	if now := lookAt(f.l.name, got(o)); now.id != f.l.id {
		o.Body.Close() // some stores look at the condition before they open the file
		return stream{}, errMoved
	}
	return stream{o.Body, off, off + aws.ToInt64(o.ContentLength)}, nil
}
