package transfer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/time/rate"

	"shelf/cmd/shelf/sftp"
)

// There is where an upload goes: a folder of the server, "" for the one that the
// server is in, and the name for a single file, "" for its own.
type There struct{ Folder, Name string }

// path is the path of the upload of a file.
func (t There) path(file string) string {
	return path.Join(t.Folder, cmp.Or(t.Name, filepath.Base(file)))
}

// Put uploads files, and tells which of them failed.
func (m *Mover) Put(ctx context.Context, files []string, to There) (failed []string, err error) {
	defer func() { m.Server.Forget() }()
	b := m.newBatch("put", len(files))
	given := make(map[string]string, len(files)) // files by the name that they get
	for _, file := range files {
		var known error
		name := to.path(file)
		if other, taken := given[name]; taken {
			known = fmt.Errorf("it would replace %s, which gets the same name", other)
		} else {
			given[name] = file
		}
		p := b.add(file, known, func(ctx context.Context, p *progress) error {
			return (&putting{Mover: m, limit: b.limit, progress: p, name: name}).one(ctx, file)
		})
		p.as = path.Base(name)
	}
	err = b.run(ctx)
	return b.failed, err
}

// putting is the upload of one file.
type putting struct {
	*Mover
	*progress
	limit *rate.Limiter
	local *os.File
	info  fs.FileInfo
	name  string // on the server, with its folder
}

// one uploads a file. On Shelf its CLOSE publishes it, on other servers a rename
// does. If anything fails before that, the server keeps what it had.
func (p *putting) one(ctx context.Context, file string) (err error) {
	if p.local, p.info, err = openLocal(file, p.flags()); err != nil {
		return err
	}
	defer p.local.Close()
	p.progress.begin(p.info.Size())
	if done, err := p.whole(ctx, file); done || err != nil {
		return err
	}
	u, from, err := p.open(ctx, file)
	if err != nil {
		return err
	}
	sum := sha256.New()
	source, err := p.source(ctx, sum, from)
	if err == nil {
		err = u.Copy(ctx, source, from, p.add)
	}
	if err == nil {
		err = p.complete(ctx, u)
	}
	if err != nil {
		u.Drop()
		return err
	}
	if err := u.Finish(ctx, p.info.Size()); err != nil {
		return err
	}
	return p.publish(ctx, u.Path, sum)
}

// sums tells whether the digest of the whole file is needed.
func (p *putting) sums() bool { return p.Checksum || p.Receipts != "" }

// source reads the file from a byte on. If its digest is needed, all of the file goes
// through sum, too.
func (p *putting) source(ctx context.Context, sum hash.Hash, from int64) (io.Reader, error) {
	p.skip(from)
	if !p.sums() {
		_, err := p.local.Seek(from, io.SeekStart)
		return p.local, err
	}
	return io.TeeReader(p.local, sum), hashFirst(ctx, sum, p.local, from)
}

// complete checks that the upload is the whole file, and sets its time.
func (p *putting) complete(ctx context.Context, u *sftp.Upload) error {
	if err := p.unchanged(); err != nil {
		return err
	}
	if err := p.arrived(ctx, u); err != nil {
		return err
	}
	return u.SetTimes(p.info.ModTime())
}

// unchanged fails if the local file has changed since it was opened.
func (p *putting) unchanged() error { return p.unchangedAfter(p.done.Load()) }

// unchangedAfter is unchanged, where so many bytes were read.
func (p *putting) unchangedAfter(done int64) error {
	now, err := p.local.Stat()
	if err != nil {
		return err
	}
	if done != p.info.Size() || now.Size() != p.info.Size() || !now.ModTime().Equal(p.info.ModTime()) {
		return fmt.Errorf("the file changed while it was read: it had %d bytes, then %d", p.info.Size(), max(done, now.Size()))
	}
	return nil
}

// arrived fails if the server has another size than was sent. On Shelf nobody else
// can write to an upload, so it is not asked.
func (p *putting) arrived(ctx context.Context, u *sftp.Upload) error {
	if p.Server.Stages {
		return nil
	}
	there, err := u.Stat(ctx)
	if sent := p.done.Load(); err == nil && there.Size != sent {
		err = fmt.Errorf("%d of %d bytes are on the server; put it again", there.Size, sent)
	}
	return err
}

// publish compares digests, if that is asked for, and gives the upload its name if
// it has another one.
func (p *putting) publish(ctx context.Context, path string, sum hash.Hash) error {
	if p.sums() {
		p.sum = hexDigest(sum)
	}
	if p.Checksum {
		if err := p.compareAll(ctx, path); err != nil {
			return err
		}
	}
	if path != p.Server.Path(p.name) {
		if err := p.Server.Replace(ctx, path, p.Server.Path(p.name)); err != nil {
			return err
		}
	}
	if p.Receipts == "" {
		return nil
	}
	return p.receive(ctx)
}

// compareAll compares the digest of a file with that of its upload.
func (p *putting) compareAll(ctx context.Context, path string) error {
	theirs, err := p.Server.Digest(ctx, path, p.done.Load(), p.limit)
	switch {
	case err != nil:
		err = fmt.Errorf("it is uploaded, but its SHA-256 cannot be compared: %w", err)
	case theirs != p.sum:
		err = errors.New("its SHA-256 on the server is another one: it was replaced meanwhile, or damaged")
	default:
		p.checked = true
		return nil
	}
	if path == p.Server.Path(p.name) { // it has its name already
		return &unsure{err}
	}
	return err
}
