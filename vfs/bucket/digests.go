package bucket

import (
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"shelf/vfs"
)

// A digest lies beside the files, as an object of its own whose key says of which
// version it is: the id that was given to that and the ETag that the store has made. A
// program that writes other content under the old metadata gets another ETag.

// knownFor is how long a digest is remembered. Nobody looks whether its version is there
// still.
const knownFor = 30 * 24 * time.Hour

// Digest implements [vfs.Digest]. Of a small file all is in memory; of a larger one the
// digest is remembered, for all nodes.
func (f *file) Digest(ctx context.Context, a crypto.Hash) ([]byte, error) {
	if f.whole != nil {
		return vfs.ReadDigest(ctx, f, a)
	}
	if sum := f.b.rememberedSum(ctx, f.l, a); sum != nil {
		return sum, nil
	}
	sum, err := vfs.ReadDigest(ctx, f, a)
	if err == nil {
		f.b.remember(ctx, f.l, a, sum)
	}
	return sum, err
}

// sumKey is the key of a digest.
func (s *store) sumKey(l *look, a crypto.Hash) string {
	return s.hiddenKey("sum", digest(fmt.Sprintf("%s %s %d", l.id, l.etag, l.size))+"-"+a.String())
}

// rememberedSum is a digest that was computed before, or nil.
func (b *Bucket) rememberedSum(ctx context.Context, l *look, a crypto.Hash) []byte {
	text, _, _, err := b.store.getText(ctx, b.store.sumKey(l, a))
	if err != nil && !isGone(err) && ctx.Err() == nil {
		b.o.Log.Warn("a digest that was remembered can't be read", "name", l.name, "err", err)
	}
	sum, err := hex.DecodeString(string(text))
	if err != nil || len(sum) != a.Size() {
		return nil
	}
	return sum
}

func (b *Bucket) remember(ctx context.Context, l *look, a crypto.Hash, sum []byte) {
	err := b.store.putText(ctx, b.store.sumKey(l, a), []byte(hex.EncodeToString(sum)))
	if err != nil && ctx.Err() == nil {
		b.o.Log.Warn("a digest is not remembered", "name", l.name, "err", err)
	}
}

// rememberLater remembers the SHA-256 of a file, if it is known, and has nobody wait for
// that.
func (b *Bucket) rememberLater(l *look, sum []byte) {
	if sum == nil {
		return
	}
	version := *l
	go b.tidy(func(ctx context.Context) { b.remember(ctx, &version, crypto.SHA256, sum) })
}

// carrySum has a file that was renamed keep its SHA-256.
func (b *Bucket) carrySum(from, to *look) {
	if from.size <= wholePut {
		return
	}
	before, after := *from, *to
	go b.tidy(func(ctx context.Context) {
		if sum := b.rememberedSum(ctx, &before, crypto.SHA256); sum != nil {
			b.remember(ctx, &after, crypto.SHA256, sum)
		}
	})
}

// wholeSum is the SHA-256 of an upload in parts that was sent from its start to its end,
// which was computed meanwhile; or nil.
func (u *upload) wholeSum() []byte {
	if u.parts == nil || u.late || !u.recorder.on {
		return nil
	}
	sum, off := u.recorder.sum(u)
	size := u.content.Size()
	if sum == nil {
		return nil
	}
	if off < size {
		n, err := io.Copy(sum, io.NewSectionReader(u.disk, off, size-off))
		if err != nil || n < size-off {
			return nil
		}
	}
	return sum.Sum(nil)
}
