package bucket_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shelf/vfs"
)

// benchSize is the size of the file that is measured, in bytes.
const benchSize = 256 << 20

func BenchmarkPut(b *testing.B) {
	lib := open(b, startGateway(b, false).options(b))
	piece := text(1, 255<<10)
	b.SetBytes(benchSize)
	for b.Loop() {
		u, err := lib.Create(b.Context(), "f", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
		for off := int64(0); err == nil && off < benchSize; off += int64(len(piece)) {
			_, err = u.WriteAt(piece, off)
		}
		if err == nil {
			_, err = u.Commit(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet reads a file in order; BenchmarkGetSDK reads the same from the answer
// to one call of the SDK.
func BenchmarkGet(b *testing.B) {
	g := startGateway(b, false)
	lib := open(b, g.options(b))
	put(b, lib, "f", text(1, benchSize))
	piece := make([]byte, 255<<10)
	b.SetBytes(benchSize)
	for b.Loop() {
		f, err := lib.Open(b.Context(), "f")
		for off := int64(0); err == nil; {
			var n int
			n, err = f.ReadAt(piece, off)
			off += int64(n)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkGetSDK(b *testing.B) {
	g := startGateway(b, false)
	o := g.options(b)
	put(b, open(b, o), "f", text(1, benchSize))
	key := o.Prefix + "/f"
	piece := make([]byte, 255<<10)
	b.SetBytes(benchSize)
	for b.Loop() {
		answer, err := g.client().GetObject(b.Context(), &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: &key})
		for err == nil {
			_, err = io.ReadFull(answer.Body, piece)
		}
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			b.Fatal(err)
		}
		answer.Body.Close()
	}
}

// BenchmarkSmall puts small files that are new.
func BenchmarkSmall(b *testing.B) {
	lib := open(b, startGateway(b, false).options(b))
	piece := text(1, 4<<10)
	for i := 0; b.Loop(); i++ {
		u, err := lib.Create(b.Context(), fmt.Sprint("small-", i), vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
		if err == nil {
			_, err = u.WriteAt(piece, 0)
		}
		if err == nil {
			_, err = u.Commit(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
