package transfer

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"

	"shelf/cmd/shelf/sftp"
)

// open opens the upload and tells from which byte on the file must be sent: after
// what an earlier try left, if that is the beginning of the file. It is compared
// through the open upload, since the file of that name may be replaced meanwhile.
func (p *putting) open(ctx context.Context, file string) (*sftp.Upload, int64, error) {
	at := p.Server.Path(p.name)
	if !p.Server.Stages {
		at = p.beside(p.stageName(file))
	} else if there, err := p.Server.Stat(ctx, at); err != nil || there.Size <= 0 || there.Size > p.info.Size() {
		return p.anew(ctx) // an account that may not look may still write
	}
	// Another put of this file may be writing to it, so it is never truncated.
	u, err := p.Server.OpenUpload(ctx, at, sftp.Continue, p.limit)
	if err != nil {
		return p.anew(ctx)
	}
	from, err := p.kept(ctx, u)
	if err == nil {
		return u, from, nil
	}
	u.Drop()
	if ctx.Err() != nil || errors.Is(err, sftp.ErrLost) {
		return nil, 0, u.Explain(ctx, err)
	}
	p.UI.Detailf("%s: what the server has cannot be compared, so the whole file is sent: %v", p.progress.name, err)
	return p.anew(ctx)
}

// stageName is the name on a server other than Shelf until the upload is whole. It
// stands for this version of this file of this machine, so that no other file goes
// there, and the next try finds it.
func (p *putting) stageName(file string) string {
	host, _ := os.Hostname()
	if full, err := filepath.Abs(file); err == nil {
		file = full
	}
	version := sftp.Attrs{Size: p.info.Size(), Modified: p.info.ModTime()}
	return partName(host+"\x00"+p.name, file, version)
}

// beside is the path of a name in the folder that the upload goes to.
func (p *putting) beside(name string) string {
	return p.Server.Path(path.Join(path.Dir(p.name), name))
}

// anew opens an upload of the whole file. On a server other than Shelf it is a file
// that nobody else has open.
func (p *putting) anew(ctx context.Context) (*sftp.Upload, int64, error) {
	at, flags := p.Server.Path(p.name), sftp.Truncate
	if !p.Server.Stages {
		at, flags = p.beside(partName(rand.Text(), p.name, sftp.Attrs{})), sftp.Exclusive
	}
	u, err := p.Server.OpenUpload(ctx, at, flags, p.limit)
	return u, 0, err
}

// kept tells how many bytes of the upload are the beginning of the file, and cuts
// off the rest.
func (p *putting) kept(ctx context.Context, u *sftp.Upload) (int64, error) {
	now, err := u.Stat(ctx)
	if err != nil {
		return 0, err
	}
	n := min(max(now.Size, 0), p.info.Size())
	same, err := p.compare(ctx, u, n)
	if err != nil {
		return 0, err
	}
	if same < n {
		p.UI.Detailf("%s: of the %d bytes that the server has, %d are those of the file; the rest is sent", p.progress.name, n, same)
	}
	keep := same
	if !p.Server.Stages {
		// Another put of this file may have come further, with the same bytes. So the
		// rest is not cut off, but written again.
		keep = n
	}
	if keep < now.Size {
		err = u.SetSize(ctx, keep)
	}
	return same, err
}

// compare tells how many of the n bytes of the upload are those of the file: by a
// digest or, if the server makes none, by reading them back.
func (p *putting) compare(ctx context.Context, u *sftp.Upload, n int64) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	sum, err := p.digest(ctx, u, n)
	if err != nil {
		p.UI.Detailf("%s: the server makes no digest of the beginning, so that is read back", p.progress.name)
		if _, err := p.local.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		return u.Compare(ctx, p.local, n)
	}
	ours, err := digestFirst(ctx, p.local, n)
	if err != nil || ours != sum {
		return 0, err
	}
	return n, nil
}

// digest is the digest of the n bytes of the upload. On Shelf only a digest by the
// open upload will do: by name it would be that of the published file.
func (p *putting) digest(ctx context.Context, u *sftp.Upload, n int64) (string, error) {
	sum, err := u.Sum(ctx, n)
	if err == nil || p.Server.Stages {
		return sum, err
	}
	return p.Server.Sum(ctx, u.Path, n)
}
