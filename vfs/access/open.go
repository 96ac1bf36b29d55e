package access

import (
	"crypto"
	"errors"
	"io"
	"io/fs"

	"shelf/vfs"
)

// Open opens a file for reading.
func (s *Session) Open(path string) (_ *Reader, err error) {
	op := s.begin(toRead, path)
	defer op.started(&err)
	f, in, err := s.openFor(toRead, path)
	if err != nil {
		return nil, err
	}
	r := &Reader{op: op, in: in, file: f, size: unknown}
	if i, err := f.Stat(); err == nil {
		r.size = i.Size
		op.event.File = s.sums.Content(i)
	}
	s.open.Add(1)
	r.transfer = s.transfers.begin(false, op.path, r.size)
	return r, nil
}

func (s *Session) openFor(a action, path string) (f vfs.File, in *share, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	at, err := s.file(path)
	if err != nil {
		return nil, nil, err
	}
	if err := s.may(a, at); err != nil {
		return nil, nil, err
	}
	if w := s.uploading(at); w != nil {
		f, err = w.up.Open()
	} else {
		f, err = s.openPublishedFor(a, at)
	}
	return f, at.in, err
}

// openPublishedFor opens what is published. The digest is that of what the account has
// uploaded, if that waits: clients compare it with what they have sent.
func (s *Session) openPublishedFor(a action, at place) (vfs.File, error) {
	waits := s.isWaiting(at)
	if a == toDigest && waits {
		f, err := at.in.holder().OpenHeld(s.account, at.name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	f, err := at.in.Open(s.ctx, at.name)
	if errors.Is(err, fs.ErrNotExist) && waits {
		err = notJudged()
	}
	return f, err
}

// Digest is the digest of a file's content, which a client gets no more of.
func (s *Session) Digest(path string, algorithm crypto.Hash) (sum []byte, err error) {
	s.open.Add(1)
	defer s.open.Add(-1)
	return s.digest(path, algorithm, func() (sum []byte, i vfs.Info, err error) {
		f, _, err := s.openFor(toDigest, path)
		if err != nil {
			return nil, i, err
		}
		defer f.Close()
		return s.digestOf(f, algorithm)
	})
}

// digest reports a digest, which compute tells with what it is of.
func (s *Session) digest(path string, a crypto.Hash, compute func() ([]byte, vfs.Info, error)) (sum []byte, err error) {
	op := s.begin(toDigest, path)
	defer op.finish(&err)
	if err := s.Stopped(); err != nil {
		return nil, err
	}
	sum, i, err := compute()
	if err != nil {
		return nil, err
	}
	op.event.File = s.sums.Content(i)
	if a == crypto.SHA256 && op.event.File != nil {
		op.event.File.SHA256 = sum
	}
	return sum, nil
}

// content is a file, or an upload under way.
type content interface {
	io.ReaderAt
	Stat() (vfs.Info, error)
}

// digestOf asks the file, or reads it.
func (s *Session) digestOf(f content, a crypto.Hash) (sum []byte, i vfs.Info, err error) {
	if i, err = f.Stat(); err != nil {
		return nil, i, err
	}
	if d, ok := vfs.As[vfs.Digest](f); ok {
		sum, err = d.Digest(s.asking, a)
	} else {
		sum, err = vfs.ReadDigest(s.asking, f, a)
	}
	return sum, i, err
}

// Reader is a file that is read. It is to be closed.
type Reader struct {
	op       *operation
	in       *share
	file     vfs.File
	size     int64 // bytes, when it was last looked at
	transfer *transfer
	digested bool // its digest was asked for
}

// unknown is the size of what nobody knows the size of.
const unknown = -1

// Name is what the client called it.
func (r *Reader) Name() string { return r.op.path }

// ReadAt implements [io.ReaderAt].
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.op.s.still(toRead, r.in); err != nil {
		return 0, err
	}
	n, err := r.file.ReadAt(p, off)
	r.op.event.Bytes += int64(n)
	r.transfer.moved(n)
	if err != nil && err != io.EOF {
		err = r.op.s.told("read", r.Name(), err)
	}
	return n, err
}

// Within is how many of n bytes at off there are, as far as can be told.
func (r *Reader) Within(off int64, n int) int {
	if off < 0 {
		return 0
	}
	if off > r.size-int64(n) {
		if i, err := r.file.Stat(); err == nil {
			r.size = i.Size
		}
	}
	return int(max(0, min(r.size-off, int64(n))))
}

// Stat describes the version that is read.
func (r *Reader) Stat() (vfs.Info, error) {
	i, err := r.file.Stat()
	return i, r.op.s.told("fstat", r.Name(), err)
}

// Digest is that of the version that is read.
func (r *Reader) Digest(a crypto.Hash) ([]byte, error) {
	r.digested = true
	return r.op.s.digest("/"+r.Name(), a, func() ([]byte, vfs.Info, error) {
		if err := r.op.s.still(toDigest, r.in); err != nil {
			return nil, vfs.Info{}, err
		}
		return r.op.s.digestOf(r.file, a)
	})
}

// Close reports what was read; why is the error that stopped the read, or
// nil.
func (r *Reader) Close(why error) error {
	r.op.s.open.Add(-1)
	r.transfer.end()
	r.op.quiet = r.digested && r.op.event.Bytes == 0 && why == nil // it was opened for that
	r.op.report(why)
	return r.op.s.told("close", r.Name(), r.file.Close())
}
