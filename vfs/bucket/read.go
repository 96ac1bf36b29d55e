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
