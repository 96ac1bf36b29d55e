package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shelf/vfs"
)

// wholeSize is up to which size a file is read at Open, in bytes. One that is larger
// is there to its end only where the bucket keeps old versions.
const wholeSize = 1 << 20

// file is a version of a file, open for reading.
type file struct {
	b     *Bucket
	ctx   context.Context
	l     *look
	whole []byte // the content of a small one; nil of others

	mu     sync.Mutex  // guards what follows, and is held while the stream is read
	stream stream      // the zero stream is none
	next   int64       // where the last read ended, in bytes
	idle   *time.Timer // closes a stream that nobody reads
}

// Open implements [vfs.Library]. The first answer of the store has the beginning of
// the file, and says what it is; what lies beside the file is asked for meanwhile.
func (b *Bucket) Open(ctx context.Context, name string) (vfs.File, error) {
	f, err := b.open(ctx, name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (b *Bucket) open(ctx context.Context, name string) (f *file, err error) {
	if vfs.CheckName(name) != nil {
		return nil, vfs.NotExist()
	}
	beside := b.lookBeside(ctx, name)
	for range maxReopens {
		if f, err = b.begins(ctx, name); err == nil || verdictOf(err) == refused {
			break
		}
	}
	all := <-beside
	if err == nil && all.err != nil {
		f.Close()
		err = all.err
	}
	if err != nil {
		return nil, failure("open", err)
	}
	f.l.dress(all.sidecars)
	return f, nil
}

// begins asks for the beginning of a file, and reads it if that is all.
func (b *Bucket) begins(ctx context.Context, name string) (*file, error) {
	o, err := b.store.get(ctx, b.store.fileKey(name), span{0, wholeSize}, "", "")
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		l, err := b.lookNow(ctx, name) // an empty file has no bytes
		if err == nil && l.size > 0 {
			return b.begins(ctx, name) // no longer empty
		}
		return &file{b: b, ctx: ctx, l: l, whole: []byte{}}, err
	}
	if err != nil {
		return nil, err
	}
	f := &file{b: b, ctx: ctx, l: lookAt(name, got(o))}
	if f.l.size > wholeSize {
		f.setStream(stream{o.Body, 0, aws.ToInt64(o.ContentLength)})
		return f, nil
	}
	defer o.Body.Close()
	f.whole = make([]byte, f.l.size)
	_, err = io.ReadFull(o.Body, f.whole)
	return f, err
}

// totalSize is the size of the whole object of which a part is answered, in bytes.
func totalSize(o *s3.GetObjectOutput) int64 {
	if _, total, ok := strings.Cut(aws.ToString(o.ContentRange), "/"); ok {
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			return n
		}
	}
	return aws.ToInt64(o.ContentLength)
}

// again implements [base].
func (f *file) again() (base, error) { return &file{b: f.b, ctx: f.ctx, l: f.l, whole: f.whole}, nil }

// Stat implements [vfs.File].
func (f *file) Stat() (vfs.Info, error) { return f.l.info(), nil }

// ReadAt implements [io.ReaderAt]. What is read in order comes from one open answer
// of the store. Another place is asked for by itself, until reading goes on there.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= f.l.size {
		return 0, io.EOF
	}
	if f.whole != nil {
		return copyAt(p, f.whole, off)
	}
	want := len(p)
	p = p[:min(int64(want), f.l.size-off)]
	n, err := f.read(p, off)
	if err != nil {
		return n, f.failure(err)
	}
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

// copyAt reads what is in memory.
func copyAt(p, from []byte, off int64) (int, error) {
	n := copy(p, from[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) read(p []byte, off int64) (int, error) {
	f.mu.Lock()
	inOrder := off == f.next || f.stream.reaches(off)
	f.next = off + int64(len(p))
	if inOrder {
		defer f.mu.Unlock()
		return f.readOn(p, off)
	}
	f.mu.Unlock()
	return f.fetch(p, off)
}

// fetch reads one span by itself.
func (f *file) fetch(p []byte, off int64) (n int, err error) {
	for range maxReopens {
		var s stream
		if s, err = f.openAt(off+int64(n), int64(len(p)-n)); err != nil {
			return n, err
		}
		var got int
		got, err = io.ReadFull(s.body, p[n:])
		s.body.Close()
		if n += got; err == nil {
			return n, nil
		}
	}
	return n, err
}

// failure is what a client is told when reading fails.
func (f *file) failure(err error) error {
	if f.ctx.Err() != nil {
		return f.ctx.Err()
	}
	if isGone(err) || isUnmet(err) || errors.Is(err, errMoved) {
		const why = "the file was replaced or removed while you were reading it; get it again"
		return &vfs.Error{Kind: vfs.ErrIO, Why: why, Err: fmt.Errorf("%w: %w", errMoved, err)}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &vfs.Error{Kind: vfs.ErrUnavailable, Err: err}
	}
	return failure("read", err)
}

// Close implements [io.Closer].
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setStream(stream{})
	return nil
}

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
