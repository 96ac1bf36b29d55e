package sftp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// digester runs sha256sum on the server. Servers with a shell have that command,
// and Shelf offers it without a shell.
type digester struct {
	conn  *conn
	one   chan struct{} // holds a token while no digest is being made
	known chan struct{} // closed when can is known
	can   bool          // whether the server has sha256sum
}

func newDigester(l *conn) *digester {
	d := &digester{conn: l, one: make(chan struct{}, 1), known: make(chan struct{})}
	d.one <- struct{}{}
	return d
}

// turn waits for the token, and has it until end is called. The wait and what follows may
// take as long as the server may be silent, and as long as its disk takes.
func (d *digester) turn(ctx context.Context, disk time.Duration) (_ context.Context, end func(), err error) {
	stop := func() {}
	if d.conn.timeout > 0 {
		ctx, stop = context.WithTimeout(ctx, d.conn.timeout+disk)
	}
	select {
	case <-d.one:
	case <-ctx.Done():
		stop()
		return nil, nil, ctx.Err()
	}
	return ctx, func() { d.one <- struct{}{}; stop() }, nil
}

// errNoDigest means that the server makes no digests.
var errNoDigest = errors.New("the server has no sha256sum")

// Sum asks the server for the SHA-256 of a file of size bytes.
func (c *Client) Sum(ctx context.Context, path string, size int64) (string, error) {
	d := c.digests
	ctx, end, err := d.turn(ctx, diskTime(size))
	if err != nil {
		return "", err
	}
	defer end()
	if !d.probe(ctx) {
		return "", errNoDigest
	}
	return d.run(ctx, "sha256sum "+shellQuote(path))
}

// CanSum tells whether the server makes digests.
func (c *Client) CanSum(ctx context.Context) bool {
	d := c.digests
	if d.conn.timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, d.conn.timeout)
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

// probe asks, once, for the digest of nothing. The caller holds the token.
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
	d.can = err == nil && got == hex.EncodeToString(sha256.New().Sum(nil))
	close(d.known)
	return d.can
}

// digestLine is a line of sha256sum. A backslash at its start means that the name is
// escaped.
var digestLine = regexp.MustCompile(`^\\?([0-9a-f]{64}) `)

func (d *digester) run(ctx context.Context, command string) (string, error) {
	out, _, err := d.output(ctx, command, 4096)
	if err != nil {
		return "", err
	}
	m := digestLine.FindStringSubmatch(out)
	if m == nil {
		return "", errNoDigest
	}
	return m[1], nil
}

// output runs a command and returns what it prints, and the first line of what it
// says on stderr. The caller holds the token.
func (d *digester) output(ctx context.Context, command string, most int) (out, said string, err error) {
	stdout, stderr := &head{most: most}, &head{most: 1024}
	_, err = orDone(ctx, func() (struct{}, error) {
		s, err := d.conn.NewSession()
		if err != nil {
			return struct{}{}, err
		}
		defer s.Close()
		defer context.AfterFunc(ctx, func() { s.Close() })()
		s.Stdout, s.Stderr = stdout, stderr
		return struct{}{}, s.Run(command)
	})
	if ctx.Err() != nil {
		return "", "", err // it may still be written to
	}
	said, _, _ = strings.Cut(stderr.text.String(), "\n")
	return stdout.text.String(), strings.TrimSpace(said), err
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

// shellQuote quotes a word for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Digest is the SHA-256 of a file of the server. If the server cannot make it, the
// whole file is read.
func (c *Client) Digest(ctx context.Context, path string, size int64, limit *rate.Limiter) (string, error) {
	sum, err := c.Sum(ctx, path, size)
	if err == nil || ctx.Err() != nil {
		return sum, err
	}
	d, err := c.OpenDownload(ctx, path, limit)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = d.End(d.Copy(ctx, h, 0, func(int) {}))
	return hex.EncodeToString(h.Sum(nil)), err
}
