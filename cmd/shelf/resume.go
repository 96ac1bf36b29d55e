package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// begin opens the upload and tells from which byte on there is to send: after
// what an earlier try left, if that is the beginning of the file.
func (p *putting) begin(ctx context.Context, path string) (*upload, int64, error) {
	there, err := p.remote.ask.stat(ctx, path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		there.size = 0 // who may not look may still write
	}
	if err != nil || there.size <= 0 || there.size > p.info.Size() {
		return p.anew(ctx, path)
	}
	sum, err := p.remote.digests.sum(ctx, path, there.size)
	if err != nil {
		return p.afterReading(ctx, path, there.size)
	}
	h := sha256.New()
	if err := hashFirst(h, p.local, there.size); err != nil {
		return nil, 0, err
	}
	if hexDigest(h) != sum {
		return p.anew(ctx, path)
	}
	return p.after(ctx, path, there.size)
}

// anew sends all.
func (p *putting) anew(ctx context.Context, path string) (*upload, int64, error) {
	u, err := p.remote.openUpload(ctx, path, openWrite|openCreate|openTrunc)
	return u, 0, err
}

// after sends what comes after the first n bytes, which were found to be right.
func (p *putting) after(ctx context.Context, path string, n int64) (*upload, int64, error) {
	u, err := p.remote.openUpload(ctx, path, openWrite|openCreate)
	if err != nil {
		return nil, 0, err
	}
	now, err := u.c.fstat(ctx, u.handle)
	if err == nil && now.size != n {
		err = errors.New("somebody else writes it just now")
	}
	if err != nil {
		u.drop()
		return nil, 0, err
	}
	return u, n, nil
}

// afterReading reads the first n bytes back to compare them, since the server
// cannot tell their digest. Shelf lets an upload be read by who makes it.
func (p *putting) afterReading(ctx context.Context, path string, n int64) (*upload, int64, error) {
	u, err := p.remote.openUpload(ctx, path, openRead|openWrite|openCreate)
	if err != nil {
		return p.anew(ctx, path)
	}
	p.detailf("%s: the server has no sha256sum; the beginning that it has is read back", printable(p.m.name))
	u.limit = p.t.limit
	if _, err := p.local.Seek(0, io.SeekStart); err != nil {
		u.drop()
		return nil, 0, err
	}
	same, err := u.compare(ctx, p.local, n, func(int) {})
	if err == nil && same < n {
		p.detailf("%s: of %d bytes that the server has, %d are those of the file; what follows is sent", printable(p.m.name), n, same)
		err = u.c.setSize(ctx, u.handle, same)
	}
	if err != nil {
		u.drop()
		return nil, 0, fmt.Errorf("read back what is there: %w", err)
	}
	return u, same, nil
}

// publish gives a whole file its name, in the place of one that has it.
func (r *remote) publish(ctx context.Context, from, to string) error {
	if _, ok := r.ask.extensions[posixRename]; ok {
		return r.ask.explain(ctx, r.ask.replace(ctx, from, to))
	}
	err := r.ask.rename(ctx, from, to)
	if err == nil {
		return nil
	}
	// Without the extension a file cannot be replaced in one step. Between the
	// two nothing interrupts us: there is no file of that name then.
	if _, statErr := r.ask.stat(ctx, to); statErr != nil {
		return r.ask.explain(ctx, err)
	}
	ctx = context.WithoutCancel(ctx)
	if err := r.ask.remove(ctx, to); err != nil {
		return r.ask.explain(ctx, err)
	}
	return r.ask.explain(ctx, r.ask.rename(ctx, from, to))
}
