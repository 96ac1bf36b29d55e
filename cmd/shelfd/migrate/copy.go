package migrate

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"shelf/vfs"
)

// piece is how much is read at a time, in bytes.
const piece = 1 << 20

// copy uploads a file, and tells its digest.
func (m *mover) copy(ctx context.Context, source vfs.File, is vfs.Info, over *vfs.Info) ([]byte, error) {
	up, sum, off, err := m.begin(ctx, source, is, over != nil)
	if err != nil {
		return nil, err
	}
	if err := write(ctx, up, source, off, sum); err != nil {
		return nil, errors.Join(err, cut(up))
	}
	if err := up.SetAttr(attributesOf(is)); err != nil {
		return nil, errors.Join(fmt.Errorf("set its mode and time: %w", err), up.Abort())
	}
	if err := m.still(ctx, over); err != nil {
		return nil, errors.Join(err, up.Abort())
	}
	_, err = up.Commit(ctx)
	if err != nil {
		err = fmt.Errorf("publish it: %w", err)
	}
	return sum.Sum(nil), err
}

// cut ends an upload that failed: its beginning may be gone on with.
func cut(up vfs.Upload) error {
	if k, ok := vfs.As[vfs.Keeper](up); ok {
		return k.Keep()
	}
	return up.Abort()
}

// begin begins an upload, at the offset where an earlier one was cut; sum is the digest
// up to there.
func (m *mover) begin(ctx context.Context, source vfs.File, is vfs.Info, replaces bool) (up vfs.Upload, sum hash.Hash, off int64, err error) {
	o := vfs.CreateOptions{Create: true, NoReplace: !replaces, Mode: is.Mode, Owner: m.owner}
	if !replaces && m.owner != "" {
		if up, err = m.to.Create(ctx, is.Name, o); err != nil {
			return nil, nil, 0, fmt.Errorf("begin to send it: %w", err)
		}
		if sum, off = beginning(ctx, up, source); sum != nil {
			if off > 0 {
				m.report.resumed(is.Name, off)
			}
			return up, sum, off, nil
		}
		if err = up.Abort(); err != nil {
			return nil, nil, 0, fmt.Errorf("begin to send it: %w", err)
		}
	}
	o.Truncate = true
	if up, err = m.to.Create(ctx, is.Name, o); err != nil {
		return nil, nil, 0, fmt.Errorf("begin to send it: %w", err)
	}
	return up, sha256.New(), 0, nil
}

// beginning tells how much of the file an upload has, which may go on with another one;
// sum is nil if that is not the beginning of this file.
func beginning(ctx context.Context, up vfs.Upload, source vfs.File) (sum hash.Hash, off int64) {
	i, err := up.Stat()
	switch {
	case err != nil:
		return nil, 0
	case i.Size == 0:
		return sha256.New(), 0
	}
	theirs, err := digestOf(ctx, up)
	if err != nil {
		return nil, 0
	}
	sum = sha256.New()
	n, err := io.Copy(sum, io.NewSectionReader(source, 0, i.Size))
	if err != nil || n < i.Size || !bytes.Equal(sum.Sum(nil), theirs) {
		return nil, 0
	}
	return sum, i.Size
}

// digestOf is the digest of what was sent of an upload.
func digestOf(ctx context.Context, up vfs.Upload) ([]byte, error) {
	if d, ok := vfs.As[vfs.Digest](up); ok {
		return d.Digest(ctx, crypto.SHA256)
	}
	return vfs.ReadDigest(ctx, up, crypto.SHA256)
}

// write sends a file from an offset on.
func write(ctx context.Context, up vfs.Upload, source vfs.File, off int64, sum hash.Hash) error {
	b := make([]byte, piece)
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := source.ReadAt(b, off)
		sum.Write(b[:n])
		if _, failed := up.WriteAt(b[:n], off); failed != nil {
			return fmt.Errorf("send it: %w", failed)
		}
		off += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read it: %w", err)
		}
	}
}
