package vfs

import (
	"context"
	"crypto"
	_ "crypto/md5"  // crypto.MD5
	_ "crypto/sha1" // crypto.SHA1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"io"
)

// Digest is implemented by a [File] or [Upload] that can tell digests of its content
// with less work than reading it, as one that remembers them.
type Digest interface {
	// Digest is that of the version which is open, or of what a Commit now would
	// publish. It ends early when ctx does.
	Digest(ctx context.Context, algorithm crypto.Hash) ([]byte, error)
}

// Algorithm is a digest under the name that clients call it by.
type Algorithm struct {
	Name string // as in check-file; and with "sum", the command of coreutils
	Hash crypto.Hash
}

// Algorithms are those there are. MD5 and SHA-1 find accidents, not attacks:
// clients ask for them to see whether a copy is whole.
func Algorithms() []Algorithm {
	return []Algorithm{{"md5", crypto.MD5}, {"sha1", crypto.SHA1}, {"sha256", crypto.SHA256}, {"sha512", crypto.SHA512}}
}

// digestChunk is how much is read at a time, in bytes.
const digestChunk = 256 << 10

// ReadDigest computes the digest of all that r has. Between chunks it looks
// whether anyone still waits for it; then the error is of the kind [ErrCut].
func ReadDigest(ctx context.Context, r io.ReaderAt, a crypto.Hash) ([]byte, error) {
	sum, buffer := a.New(), make([]byte, digestChunk)
	for off := int64(0); ; {
		if ctx.Err() != nil {
			return nil, &Error{Kind: ErrCut, Why: "the client is gone"}
		}
		n, err := r.ReadAt(buffer, off)
		sum.Write(buffer[:n])
		off += int64(n)
		if err == io.EOF {
			return sum.Sum(nil), nil
		}
		if err != nil {
			return nil, err
		}
	}
}
