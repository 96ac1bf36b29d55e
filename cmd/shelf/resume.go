package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
)

// begin opens the upload and tells from which byte on there is to send: after
// what an earlier try left, if that is the beginning of the file. That is found
// out through the handle, since what has the name may be replaced meanwhile.
func (p *putting) begin(ctx context.Context, path string) (*upload, int64, error) {
	if p.remote.stages {
		there, err := p.remote.ask.stat(ctx, path)
		if err != nil || there.size <= 0 || there.size > p.info.Size() {
			return p.anew(ctx, path) // who may not look may still write
		}
	}
	// Another put of this file may be writing the stage: it is never truncated.
	u, err := p.open(ctx, path, openRead|openWrite|openCreate)
	if err != nil {
		return p.anew(ctx, path)
	}
	from, err := p.kept(ctx, u)
	if err == nil {
		return u, from, nil
	}
	u.drop()
	if ctx.Err() != nil || errors.Is(err, errLost) {
		return nil, 0, u.c.explain(ctx, err)
	}
	p.detailf("%s: what the server has cannot be looked at, and all is sent: %v", printable(p.m.name), err)
	return p.anew(ctx, path)
}

// anew sends all; where there are no stages to a file that no other has.
func (p *putting) anew(ctx context.Context, path string) (*upload, int64, error) {
	flags := uint32(openWrite | openCreate | openTrunc)
	if !p.remote.stages {
		path = p.remote.path(partName(rand.Text(), p.name, attrs{}))
		flags = openWrite | openCreate | openExcl
	}
	u, err := p.open(ctx, path, flags)
	return u, 0, err
}

func (p *putting) open(ctx context.Context, path string, flags uint32) (*upload, error) {
	u, err := p.remote.openUpload(ctx, path, flags)
	if err == nil {
		u.limit = p.t.limit
	}
	return u, err
}

// kept tells how much of what the upload has is the beginning of the file.
func (p *putting) kept(ctx context.Context, u *upload) (int64, error) {
	now, err := u.c.fstat(ctx, u.handle)
	if err != nil {
		return 0, err
	}
	n := min(max(now.size, 0), p.info.Size())
	same, err := p.compare(ctx, u, n)
	if err != nil {
		return 0, err
	}
	if same < n {
		p.detailf("%s: of %d bytes that the server has, %d are those of the file; what follows is sent", printable(p.m.name), n, same)
	}
	keep := same
	if !p.remote.stages {
		// What two puts of one file write into a stage is the same: the rest is
		// written over, for the other may have come further.
		keep = n
	}
	if keep < now.size {
		err = u.c.setSize(ctx, u.handle, keep)
	}
	return same, err
}

// compare tells how many of the n bytes that the upload has are those of the
// file: by a digest or, if the server has none, by reading them back.
func (p *putting) compare(ctx context.Context, u *upload, n int64) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	sum, err := p.digest(ctx, u, n)
	if err != nil {
		p.detailf("%s: the server has no digest of it; the beginning that it has is read back", printable(p.m.name))
		if _, err := p.local.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		return u.compare(ctx, p.local, n)
	}
	ours, err := digestFirst(ctx, p.local, n)
	if err != nil || ours != sum {
		return 0, err
	}
	return n, nil
}

// digest is that of the n bytes that the upload has. Where it is open by the
// name that it gets, only a digest of the handle is one of these.
func (p *putting) digest(ctx context.Context, u *upload, n int64) (string, error) {
	sum, err := u.c.checkFile(ctx, u.handle, n)
	if err == nil || p.remote.stages {
		return sum, err
	}
	return p.remote.digests.sum(ctx, u.path, n)
}
