package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"shelf/cmd/shelf/sftp"
)

// PutFrom uploads what a pipe has, up to its end. After a lost connection it is not
// tried again: what was read from a pipe is gone.
func (m *Mover) PutFrom(ctx context.Context, from io.Reader, to There) error {
	defer func() { m.Server.Forget() }()
	m.Retry, m.Bars = 0, noBars
	b := m.newBatch("put", 1)
	name := to.path("")
	b.add(name, nil, func(ctx context.Context, p *progress) error {
		return (&putting{Mover: m, limit: b.limit, progress: p, name: name}).stream(ctx, from)
	})
	return b.run(ctx)
}

// noBars shows no progress.
func noBars(int) (func(string) Bar, func()) { return nil, func() {} }

// stream uploads what a pipe has. Nobody can go on with it, so on a server that does
// not stage nothing is left of it if it fails.
func (p *putting) stream(ctx context.Context, from io.Reader) error {
	p.progress.begin(0)
	u, _, err := p.anew(ctx)
	if err != nil {
		return err
	}
	sum := sha256.New()
	source, stop := interruptible(ctx, from)
	defer stop()
	if err = u.Copy(ctx, io.TeeReader(source, sum), 0, p.add); err == nil {
		err = p.arrived(ctx, u)
	}
	if err != nil {
		u.Drop()
		if !p.Server.Stages {
			p.Server.Remove(context.WithoutCancel(ctx), u.Path)
		}
		return err
	}
	if err := u.Finish(ctx, p.done.Load()); err != nil {
		return err
	}
	return p.publish(ctx, u.Path, sum)
}

// interruptible is a reader that ends when ctx does, even while the pipe is silent.
// The goroutine that reads the pipe may wait for it until the program ends.
func interruptible(ctx context.Context, pipe io.Reader) (r io.Reader, stop func()) {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, struct{ io.Reader }{pipe})
		in.CloseWithError(err)
	}()
	ended := context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	return out, func() { ended(); out.Close() }
}

// GetTo downloads a file to a pipe. After a lost connection it goes on where it was
// cut, if the file on the server is still the same.
func (m *Mover) GetTo(ctx context.Context, name string, to io.Writer) error {
	m.UI, m.Bars = silent{m.UI}, noBars
	b := m.newBatch("get", 1)
	g := &piping{Mover: m, to: to, sum: sha256.New()}
	b.add(name, nil, func(ctx context.Context, p *progress) error { return g.one(ctx, b, p, name) })
	return b.run(ctx)
}

// silent tells nothing of what was done: stdout has the file.
type silent struct{ UI }

func (silent) Sayf(string, ...any) {}

// piping is the download of a file to a pipe.
type piping struct {
	*Mover
	to      io.Writer
	sum     hash.Hash
	written int64
	version sftp.Attrs // of what was written
}

func (g *piping) one(ctx context.Context, b *batch, p *progress, name string) error {
	at := g.Server.Path(name)
	d, err := g.Server.OpenDownload(ctx, at, b.limit)
	if err != nil {
		return err
	}
	if g.written == 0 {
		g.version = d.Attrs
	} else if g.version != d.Attrs {
		return d.End(fmt.Errorf("it changed on the server after %d bytes of it were written; get it again", g.written))
	}
	p.begin(d.Size)
	p.skip(g.written)
	err = d.End(d.Copy(ctx, io.MultiWriter(g.to, g.sum), g.written, func(n int) {
		g.written += int64(n)
		p.add(n)
	}))
	if err != nil || !g.Checksum {
		return err
	}
	theirs, err := g.Server.Digest(ctx, at, d.Size, b.limit)
	switch {
	case err != nil:
		return fmt.Errorf("it is written, but its SHA-256 cannot be compared: %w", err)
	case theirs != hexDigest(g.sum):
		return errors.New("its SHA-256 is not that of the file on the server: it was changed meanwhile, or damaged")
	}
	return nil
}
