package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (s *shell) put(ctx context.Context, o *choices, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? put FILE...")
	}
	return s.putFiles(ctx, o, localNames(args))
}

// localNames makes what is a pattern, and not a file, the files that match it.
// A shell did that already; at the prompt there is none.
func localNames(args []string) (files []string) {
	for _, a := range args {
		if _, err := os.Lstat(a); err != nil && isPattern(a) {
			if match := glob(a); len(match) > 0 {
				files = append(files, match...)
				continue
			}
		}
		files = append(files, a)
	}
	return unique(files)
}

// glob is what a shell makes of a pattern: a hidden file matches only if the
// pattern has the dot.
func glob(pattern string) []string {
	match, err := filepath.Glob(pattern)
	if err != nil || strings.HasPrefix(filepath.Base(pattern), ".") {
		return match
	}
	return slices.DeleteFunc(match, func(f string) bool { return strings.HasPrefix(filepath.Base(f), ".") })
}

func (s *shell) putFiles(ctx context.Context, o *choices, files []string) error {
	_, err := s.putSome(ctx, o, files)
	return err
}

// putSome uploads files, and tells which of them failed.
func (s *shell) putSome(ctx context.Context, o *choices, files []string) (failed []string, err error) {
	defer s.names.forget()
	t := s.newTransfers("put", o, len(files))
	given := make(map[string]string, len(files)) // by the name that they get
	for _, file := range files {
		var known error
		name := filepath.Base(file)
		if other, taken := given[name]; taken {
			known = fmt.Errorf("it would replace %s, which gets the same name", printable(other))
		} else {
			given[name] = file
		}
		t.add(file, known, func(ctx context.Context, m *meter) error {
			return (&putting{shell: s, choices: o, m: m, t: t}).one(ctx, file)
		})
	}
	err = t.run(ctx)
	return t.failed, err
}

// putting is the upload of one file.
type putting struct {
	*shell
	*choices
	t     *transfers
	m     *meter
	local *os.File
	info  fs.FileInfo
	name  string // on the server
}

// openLocal opens a regular file, with further flags of open(2). What it is is
// looked at when it is open, and to open a FIFO does not wait for a writer.
func openLocal(file string, flags int) (*os.File, fs.FileInfo, error) {
	local, err := os.OpenFile(file, os.O_RDONLY|openNoWait|flags, 0)
	if err != nil {
		return nil, nil, reason(err)
	}
	info, err := local.Stat()
	switch {
	case err != nil:
		err = reason(err)
	case info.IsDir():
		err = errors.New("a folder; only files can be put, and sync takes those in a folder")
	case !info.Mode().IsRegular():
		err = errors.New("not a regular file; only those can be put")
	}
	if err != nil {
		local.Close()
		return nil, nil, err
	}
	return local, info, nil
}

// flags are those of openLocal.
func (o *choices) flags() int {
	if o.noLinks {
		return openNoLink
	}
	return 0
}

// reason leaves out of a file's error the path, which is said beside it.
func reason(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// one uploads a file. CLOSE or, on servers other than Shelf, a rename publishes
// it: if anything fails before, the server keeps what it had.
func (p *putting) one(ctx context.Context, file string) (err error) {
	if p.local, p.info, err = openLocal(file, p.flags()); err != nil {
		return err
	}
	defer p.local.Close()
	p.name = filepath.Base(file)
	p.m.begin(p.info.Size())
	path := p.remote.path(p.name)
	if !p.remote.stages {
		path = p.remote.path(p.stageName(file))
	}
	u, from, err := p.begin(ctx, path)
	if err != nil {
		return err
	}
	if err := p.send(ctx, u, from); err != nil {
		u.drop()
		return err
	}
	if err := u.finish(ctx, p.info.Size()); err != nil {
		return err
	}
	return p.publish(ctx, u.path)
}

// stageName is where a server that does not stage uploads has this one until
// it is whole. It stands for this version of this file of this machine, so that
// no other file is written there and the next try finds it.
func (p *putting) stageName(file string) string {
	host, _ := os.Hostname()
	if full, err := filepath.Abs(file); err == nil {
		file = full
	}
	version := attrs{size: p.info.Size(), modified: p.info.ModTime()}
	return partName(host+"\x00"+p.name, file, version)
}

// send writes what the server lacks, and the age of the file.
func (p *putting) send(ctx context.Context, u *upload, from int64) error {
	p.m.skip(from)
	h := sha256.New()
	var source io.Reader = p.local
	if p.checksum {
		if err := hashFirst(ctx, h, p.local, from); err != nil {
			return err
		}
		source = io.TeeReader(source, h)
	} else if _, err := p.local.Seek(from, io.SeekStart); err != nil {
		return err
	}
	if err := u.copy(ctx, source, from, p.m.add); err != nil {
		return err
	}
	if p.checksum {
		p.m.sum = hexDigest(h)
	}
	if err := p.unchanged(); err != nil {
		return err
	}
	if err := p.arrived(ctx, u); err != nil {
		return err
	}
	// An age is not worth a failure.
	u.c.setTimes(ctx, u.handle, p.info.ModTime())
	return nil
}

// unchanged fails if the file is not what it was when it was opened.
func (p *putting) unchanged() error {
	now, err := p.local.Stat()
	if err != nil {
		return err
	}
	if done := p.m.done.Load(); done != p.info.Size() || now.Size() != p.info.Size() || !now.ModTime().Equal(p.info.ModTime()) {
		return fmt.Errorf("the file changed while it was read: it had %d bytes, then %d", p.info.Size(), max(done, now.Size()))
	}
	return nil
}

// arrived fails if a stage that others can write is not as long as the file.
func (p *putting) arrived(ctx context.Context, u *upload) error {
	if p.remote.stages {
		return nil
	}
	there, err := u.c.fstat(ctx, u.handle)
	if err == nil && there.size != p.info.Size() {
		err = fmt.Errorf("%d of %d bytes are on the server; put it again", there.size, p.info.Size())
	}
	return err
}

// publish gives the upload its name, where that is still to be done, and
// compares digests if it is asked to.
func (p *putting) publish(ctx context.Context, path string) error {
	if p.checksum {
		theirs, err := p.remote.digest(ctx, path, p.info.Size(), p.t.limit)
		if err != nil {
			return fmt.Errorf("it is there, and its SHA-256 cannot be compared: %w", err)
		}
		if theirs != p.m.sum {
			return errors.New("its SHA-256 there is another: it was replaced meanwhile, or damaged")
		}
		p.m.checked = true
	}
	if path == p.remote.path(p.name) {
		return nil
	}
	return p.remote.publish(ctx, path, p.remote.path(p.name))
}
