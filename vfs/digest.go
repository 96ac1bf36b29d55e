package vfs

import (
	"context"
	"crypto"
	_ "crypto/md5"  // crypto.MD5
	_ "crypto/sha1" // crypto.SHA1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"hash"
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

const (
	// digestChunk is how much is read at a time, in bytes.
	digestChunk = 256 << 10

	// digestTurn is how much is read in one turn, in bytes: a file of terabytes
	// keeps nobody waiting.
	digestTurn = 16 << 20
)

// ReadDigest computes the digest of all that r has, by the [Turns] of ctx. Between
// chunks it looks whether anyone still waits for it; then the error is of the kind
// [ErrCut].
func ReadDigest(ctx context.Context, r io.ReaderAt, a crypto.Hash) ([]byte, error) {
	sum, buffer, turns := a.New(), make([]byte, digestChunk), TurnsOf(ctx)
	for off := int64(0); ; off += digestTurn {
		end, err := turns.Take(ctx, turns.Name)
		if err != nil {
			return nil, errGone()
		}
		err = digestPiece(ctx, sum, r, off, buffer)
		end()
		if err == io.EOF {
			return sum.Sum(nil), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// digestPiece reads what is done in one turn. The error is io.EOF at the end of r.
func digestPiece(ctx context.Context, sum hash.Hash, r io.ReaderAt, from int64, buffer []byte) error {
	for off := from; off < from+digestTurn; off += digestChunk {
		if ctx.Err() != nil {
			return errGone()
		}
		n, err := r.ReadAt(buffer, off)
		sum.Write(buffer[:n])
		if err != nil {
			return err
		}
	}
	return nil
}

func errGone() error { return &Error{Kind: ErrCut, Why: "the client is gone"} }
