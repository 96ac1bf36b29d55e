package transfer

import (
	"context"
	"crypto/sha256"
	"io"
	"os"

	"shelf/cmd/shelf/sftp"
)

// small tells whether a file can go with one WRITE, together with others. A rate
// limit wants larger steps.
func (m *Mover) small(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Size() <= int64(m.Server.MostSmall()) && m.Limit == 0
}

// whole uploads a small file in one piece. It is false if the server has something
// that this could be the rest of, or that could be the same: then the file goes the
// usual way.
func (p *putting) whole(ctx context.Context, file string) (done bool, err error) {
	size := p.info.Size()
	if size > int64(p.Server.MostSmall()) || p.limit != nil {
		return false, nil
	}
	at, flags := p.Server.Path(p.name), sftp.Truncate
	if !p.Server.Stages {
		// A file of this name is this version of this file: it is not truncated, since
		// another put of it may be under way.
		at, flags = p.beside(p.stageName(file)), sftp.Continue
	} else if there, err := p.Server.Stat(ctx, at); err == nil && there.Size > 0 && there.Size <= size {
		return false, nil
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(p.local, content); err != nil {
		return false, nil // it has changed; the usual way says so
	}
	if err := p.unchangedAfter(size); err != nil {
		return true, err
	}
	if err := p.Server.UploadSmall(ctx, at, flags, content, p.info.ModTime()); err != nil {
		return true, err
	}
	p.add(int(size))
	sum := sha256.New()
	sum.Write(content)
	return true, p.publish(ctx, at, sum)
}
