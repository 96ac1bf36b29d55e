package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"io/fs"
	"os"

	"shelf/cmd/shelf/sftp"
)

// same tells whether a file here is the one on the server: by size and time or, with
// --checksum, by size and digest. Times are compared in seconds, as SFTP has them.
func (m *Mover) same(ctx context.Context, name string, there sftp.Attrs, here fs.FileInfo, open func() (*os.File, error)) bool {
	if here.Size() != there.Size {
		return false
	}
	if !m.Checksum {
		return here.ModTime().Unix() == there.Modified.Unix()
	}
	f, err := open()
	if err != nil {
		return false
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || now.Size() != there.Size {
		return false
	}
	theirs, err := m.Server.Digest(ctx, m.Server.Path(name), there.Size, nil)
	if err != nil {
		return false
	}
	ours, err := digestFirst(ctx, f, there.Size)
	return err == nil && ours == theirs
}

func hexDigest(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// digestFirst is the SHA-256 of the first n bytes of a file.
func digestFirst(ctx context.Context, f *os.File, n int64) (string, error) {
	h := sha256.New()
	err := hashFirst(ctx, h, f, n)
	return hexDigest(h), err
}

// hashFirst feeds the first n bytes of a file to h, and leaves the file there.
func hashFirst(ctx context.Context, h hash.Hash, f *os.File, n int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(h, interruptedReader{ctx, f}, n)
	return err
}

// interruptedReader reads until its context ends.
type interruptedReader struct {
	ctx context.Context
	io.Reader
}

func (r interruptedReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
