package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

func (s *shell) get(ctx context.Context, o *choices, args []string) error {
	dir := "."
	if n := len(args); n > 2 && args[n-2] == "to" {
		dir, args = args[n-1], args[:n-2]
	}
	if len(args) == 0 {
		return usageErrorf("which files? get NAME... [to DIR]")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := s.remoteNames(ctx, args)
	if err != nil {
		return err
	}
	g := &getting{shell: s, choices: o, root: root, parts: partsIn(root), replace: make(map[string]bool)}
	t := s.newTransfers("get", o, len(names))
	for _, name := range names {
		t.add(name, g.here(ctx, name), func(ctx context.Context, m *meter) error { return g.one(ctx, t, m, name) })
	}
	return t.run(ctx)
}

// getting is one get of many files into a folder.
type getting struct {
	*shell
	*choices
	root    *os.Root
	parts   []string        // of earlier downloads, which are there
	replace map[string]bool // the files that may be replaced
}

// checkLocal refuses a name that is not plainly one of a file in a folder. The
// server's names are data: none may choose where we write.
func checkLocal(name string) error {
	bad := func(r rune) bool {
		return r == '/' || r == '\\' && filepath.Separator == '\\' || unicode.IsControl(r)
	}
	if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, bad) || len(name) > 255 {
		return errors.New("that cannot be the name of a file here")
	}
	return nil
}

// here finds out what to do about a file that has the name. Questions are asked
// before the first transfer starts.
func (g *getting) here(ctx context.Context, name string) error {
	if err := checkLocal(name); err != nil {
		return err
	}
	local, err := g.root.Lstat(name)
	if err != nil {
		return nil
	}
	if !local.Mode().IsRegular() {
		return errors.New("what has that name here is not a regular file")
	}
	there, err := g.remote.ask.stat(ctx, g.remote.path(name))
	if err != nil {
		return g.remote.ask.explain(ctx, err)
	}
	open := func() (*os.File, error) { return g.root.Open(name) }
	if g.same(ctx, g.choices, name, there, local, open) {
		return errSame
	}
	if !g.force && !g.confirm(ctx, fmt.Sprintf("%s is here already. Replace it?", printable(name))) {
		return errExists
	}
	g.replace[name] = true
	return nil
}

// same tells whether a file here is the one on the server: by size and time or,
// if asked to, by its digest.
func (s *shell) same(ctx context.Context, o *choices, name string, there attrs, here fs.FileInfo, open func() (*os.File, error)) bool {
	if here.Size() != there.size {
		return false
	}
	if !o.checksum {
		return sameTime(here.ModTime(), there.modified)
	}
	f, err := open()
	if err != nil {
		return false
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || now.Size() != there.size {
		return false
	}
	theirs, err := s.remote.digest(ctx, s.remote.path(name), there.size, nil)
	if err != nil {
		return false
	}
	ours, err := digestFirst(ctx, f, there.size)
	return err == nil && ours == theirs
}

// sameTime compares times as SFTP has them, in seconds.
func sameTime(a, b time.Time) bool { return a.Unix() == b.Unix() }

// one downloads a file to a part, which takes the name when it is whole.
func (g *getting) one(ctx context.Context, t *transfers, m *meter, name string) error {
	path := g.remote.path(name)
	d, err := g.remote.openDownload(ctx, path)
	if err != nil {
		return err
	}
	d.limit = t.limit
	m.begin(d.file.size)
	p, err := openPart(g.root, partName(g.remote.to.addr, path, d.file), g.parts)
	if err != nil {
		return d.end(err)
	}
	err = d.end(g.fill(ctx, d, p, m, t.share()))
	if errors.Is(err, errDamaged) || errors.Is(err, errChanged) {
		p.drop()
		return err
	}
	if err == nil {
		err = p.become(name, d.file.modified, g.replace[name])
	}
	if err != nil {
		p.leave()
	}
	return err
}

// fill completes the part. A beginning that is here already is used if the
// server can tell the digest of the whole, with which what came of it is
// compared; if that is not as it should be, all is sent again.
func (g *getting) fill(ctx context.Context, d *download, p *part, m *meter, channels int) error {
	wide := d.worth(d.file.size-p.size, channels)
	d.widen(ctx, wide)
	resume := p.size > 0 && p.size <= d.file.size && g.remote.digests.able(ctx)
	if p.size > 0 && !resume {
		// Was it only that we were interrupted, or cut off? Then it stays.
		if _, err := d.lanes[0].fstat(ctx, d.lanes[0].handle); err != nil {
			return d.lanes[0].explain(ctx, err)
		}
		g.detailf("%s: the server has no sha256sum to check the beginning with; all of it is sent again", printable(m.name))
	}
	if !resume {
		if err := p.keepFirst(0); err != nil {
			return err
		}
	}
	must := resume || g.checksum
	err := g.fillFrom(ctx, d, p, m, must || wide > 1, must)
	if errors.Is(err, errDamaged) && resume {
		g.warnf("%s: the beginning that was here is not that of the file; all of it is sent again", printable(m.name))
		if err := p.keepFirst(0); err != nil {
			return err
		}
		m.restart()
		err = g.fillFrom(ctx, d, p, m, true, true)
	}
	return err
}

// errDamaged is a file that is not what the server has.
var errDamaged = errors.New("its SHA-256 is not that of the file on the server: it was changed meanwhile, or damaged")

// fillFrom reads what the part lacks and, if check is set, compares digests. The
// server makes its own while the file comes. One that makes none does no harm
// unless they must be compared, or what came is of several lanes.
func (g *getting) fillFrom(ctx context.Context, d *download, p *part, m *meter, check, must bool) error {
	m.skip(p.size)
	if !check {
		if err := d.copy(ctx, p, p.size, m.add); err != nil {
			return err
		}
		return p.Sync()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	theirs := make(chan string, 1)
	go func() {
		sum, _ := g.remote.digests.sum(ctx, d.path, d.file.size)
		theirs <- sum
	}()
	ours := sha256.New()
	err := hashFirst(ctx, ours, p.File, p.size)
	if err == nil {
		err = d.copy(ctx, io.MultiWriter(p, ours), p.size, m.add)
	}
	if err == nil {
		err = p.Sync()
	}
	if err != nil {
		return err
	}
	m.sum = hexDigest(ours)
	if !must && len(d.lanes) == 1 {
		return nil
	}
	return g.compare(ctx, d, m, <-theirs)
}

// compare is the check of a file that is whole.
func (g *getting) compare(ctx context.Context, d *download, m *meter, theirs string) error {
	if theirs == "" {
		g.detailf("%s: the server has no sha256sum; it is read once more instead", printable(m.name))
		h := sha256.New()
		if err := d.first().copy(ctx, h, 0, func(int) {}); err != nil {
			return err
		}
		theirs = hexDigest(h)
	}
	if theirs != m.sum {
		return errDamaged
	}
	m.checked = true
	return nil
}

// digestFirst is the SHA-256 of the first n bytes of a file.
func digestFirst(ctx context.Context, f *os.File, n int64) (string, error) {
	h := sha256.New()
	err := hashFirst(ctx, h, f, n)
	return hexDigest(h), err
}

// hashFirst feeds the first n bytes of a file to h, and leaves it behind them.
func hashFirst(ctx context.Context, h hash.Hash, f *os.File, n int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(h, interruptedReader{ctx, f}, n)
	return err
}

// interruptedReader reads until its context ends.
type interruptedReader struct {
	ctx context.Context
	io.Reader
}

func (r interruptedReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
