package sshd

import (
	"context"
	"crypto"
	"errors"
	"io"
	"strings"
	"testing"

	"shelf/sshd/budget"
	"shelf/vfs"
)

// sparse is a sparse file that nobody reads to its end.
type sparse struct{}

func (sparse) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

// TestHugeFilesHoldUpNobody has one account make digests of endless files, many at a
// time. Another gets its own, and the many end with their clients.
func TestHugeFilesHoldUpNobody(t *testing.T) {
	turns := budget.NewTurns(1)
	of := func(ctx context.Context, account string) context.Context {
		return vfs.WithTurns(ctx, vfs.Turns{Name: account, Take: turns.Take})
	}
	ctx, leave := context.WithCancel(t.Context())
	const many = 20
	ended := make(chan error, many)
	for range many {
		go func() {
			_, err := vfs.ReadDigest(of(ctx, "ann"), sparse{}, crypto.SHA256)
			ended <- err
		}()
	}
	for range 3 {
		if _, err := vfs.ReadDigest(of(t.Context(), "bob"), io.NewSectionReader(strings.NewReader("hello"), 0, 5), crypto.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	for range many {
		if err := <-ended; !errors.Is(err, vfs.ErrCut) {
			t.Errorf("it ended with %v", err)
		}
	}
}
