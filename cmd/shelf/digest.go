package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"regexp"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// digester asks a server for SHA-256 digests. Servers that have a shell have
// sha256sum as well, and so has Shelf, without one.
type digester struct {
	line  *lifeline
	one   chan struct{} // has a token while no digest is under way
	known chan struct{} // closed when it is known whether the server can
	can   bool          // that, once it is known
}

func newDigester(l *lifeline) *digester {
	d := &digester{line: l, one: make(chan struct{}, 1), known: make(chan struct{})}
	d.one <- struct{}{}
	return d
}

// errNoDigest is a server that has no sha256sum.
var errNoDigest = errors.New("the server has no sha256sum")

// slowDisk is what the slowest server is believed to read or write, in bytes a
// second.
const slowDisk = 16 << 20

// diskTime is how long that takes it for so many bytes.
func diskTime(bytes int64) time.Duration { return time.Duration(bytes/slowDisk) * time.Second }

// sum is the digest of a file of size bytes at path, made by the server.
func (d *digester) sum(ctx context.Context, path string, size int64) (string, error) {
	if d.line.timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, d.line.timeout+diskTime(size))
		defer stop()
	}
	select {
	case <-d.one:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { d.one <- struct{}{} }()
	if !d.probe(ctx) {
		return "", errNoDigest
	}
	return d.run(ctx, "sha256sum "+shellQuote(path))
}

// able tells whether the server makes digests.
func (d *digester) able(ctx context.Context) bool {
	if d.line.timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, d.line.timeout)
		defer stop()
	}
	select {
	case <-d.known:
		return d.can
	case <-d.one:
	case <-ctx.Done():
		return false
	}
	defer func() { d.one <- struct{}{} }()
	return d.probe(ctx)
}

// probe has the server digest nothing, once; it is for who has the token.
func (d *digester) probe(ctx context.Context) bool {
	select {
	case <-d.known:
		return d.can
	default:
	}
	got, err := d.run(ctx, "sha256sum")
	if ctx.Err() != nil {
		return false
	}
	d.can = err == nil && got == hexDigest(sha256.New())
	close(d.known)
	return d.can
}

// A line of sha256sum; a backslash before it says that the name is escaped.
var digestLine = regexp.MustCompile(`^\\?([0-9a-f]{64}) `)

func (d *digester) run(ctx context.Context, command string) (string, error) {
	return orDone(ctx, func() (string, error) {
		s, err := d.line.NewSession()
		if err != nil {
			return "", err
		}
		defer s.Close()
		defer context.AfterFunc(ctx, func() { s.Close() })()
		out := &head{most: 4096}
		s.Stdout = out
		if err := s.Run(command); err != nil {
			return "", err
		}
		m := digestLine.FindStringSubmatch(out.text.String())
		if m == nil {
			return "", errNoDigest
		}
		return m[1], nil
	})
}

// head keeps the first bytes that are written to it.
type head struct {
	text strings.Builder
	most int
}

func (h *head) Write(p []byte) (int, error) {
	h.text.Write(p[:min(len(p), h.most-h.text.Len())])
	return len(p), nil
}

// shellQuote makes a word of a POSIX shell that is s.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func hexDigest(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// digest is the SHA-256 of a file on the server: made there, or here from all
// that it holds.
func (r *remote) digest(ctx context.Context, path string, size int64, limit *rate.Limiter) (string, error) {
	sum, err := r.digests.sum(ctx, path, size)
	if err == nil || ctx.Err() != nil {
		return sum, err
	}
	d, err := r.openDownload(ctx, path)
	if err != nil {
		return "", err
	}
	d.limit = limit
	h := sha256.New()
	err = d.end(d.copy(ctx, h, 0, func(int) {}))
	return hexDigest(h), err
}
