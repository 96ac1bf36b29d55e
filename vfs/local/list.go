package local

import (
	"context"
	"errors"
	"iter"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
)

// List implements [vfs.Library]. It reads the folder as it goes, so that a million
// files cost no more memory than a batch of names.
//
// A file that is renamed meanwhile must not be missed: the place of its new
// name may be passed already, and its old one gone. What [Dir.Rename] does
// meanwhile is noted (renames.go). What others do is seen when a name that was
// read is gone when it is looked at: then the folder is read again for that
// inode. When nothing is missed, nothing is read again.
func (d *Dir) List(ctx context.Context) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		renamed, err := d.followRenames()
		if err != nil {
			yield(vfs.Info{}, err)
			return
		}
		l := &lister{d: d, ctx: ctx, yield: yield, renamed: renamed}
		if err := l.run(); err != nil && err != errStopped {
			yield(vfs.Info{}, vfs.SystemError("list", err))
		}
	}
}

// followRenames begins while no rename is under way, in any instance: one that has
// told of its name and is not done would be missed.
func (d *Dir) followRenames() (*renamed, error) {
	release, err := d.instance().holdNames()
	if err != nil {
		return nil, err
	}
	defer release()
	return renameLog{d.instance().names.File()}.follow()
}

// errStopped is the end of a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// lister is one List under way.
type lister struct {
	d       *Dir
	ctx     context.Context
	yield   func(vfs.Info, error) bool
	renamed *renamed
	missed  map[uint64]bool // inodes of names that were gone; nil if there are none
}

// The bounds of reading again: how often, and for how many files at a time.
const (
	maxRereads = 16
	maxMissed  = 1024
)

// run reads the folder, and again until nothing is missed that is still there.
func (l *lister) run() error {
	if _, err := l.read(func(dirfd.Entry) bool { return true }); err != nil {
		return err
	}
	for range maxRereads {
		if err := l.lookAtRenamed(); err != nil {
			return err
		}
		if len(l.missed) == 0 {
			return nil
		}
		found, err := l.read(func(e dirfd.Entry) bool { return l.missed[e.Inode] && !l.renamed.has(e.Name) })
		if err != nil || found == 0 {
			return err
		}
	}
	return nil
}

// read reads the folder once and looks at what is wanted of it.
func (l *lister) read(wanted func(dirfd.Entry) bool) (n int, err error) {
	for e, err := range dirfd.EntriesAfter(l.d.fd(), l.renamed.catchUp) {
		if err = errors.Join(err, l.ctx.Err()); err != nil {
			return n, err
		}
		if !wanted(e) {
			continue
		}
		n++
		if err := l.look(e); err != nil {
			return n, err
		}
	}
	return n, nil
}

// look yields a file. What cannot be described does not exist for clients.
func (l *lister) look(e dirfd.Entry) error {
	i, regular, err := l.d.look(e.Name)
	switch {
	case errors.Is(err, unix.ENOENT):
		if l.missed == nil {
			l.missed = make(map[uint64]bool)
		}
		if len(l.missed) < maxMissed {
			l.missed[e.Inode] = true
		}
		return nil
	case err != nil, !regular:
		return nil
	}
	delete(l.missed, e.Inode)
	l.renamed.saw(e.Name)
	if !l.yield(i.public(), nil) {
		return errStopped
	}
	return nil
}

// lookAtRenamed yields what has a name that a rename made while the folder was
// read, unless the name has been listed after that. It looks at all of them
// while no name changes: a file that was there all the time has one of them
// then, or one that was read.
func (l *lister) lookAtRenamed() error {
	files, err := l.nowRenamed()
	if err != nil {
		return err
	}
	for _, i := range files {
		if !l.yield(i.public(), nil) {
			return errStopped
		}
	}
	return nil
}

func (l *lister) nowRenamed() (files []info, err error) {
	release, err := l.d.instance().holdNames()
	if err != nil {
		return nil, err
	}
	defer release()
	if err := l.renamed.catchUp(); err != nil {
		return nil, err
	}
	for _, name := range l.renamed.rest() {
		l.renamed.saw(name)
		if i, regular, err := l.d.look(name); err == nil && regular {
			files = append(files, i)
		}
	}
	return files, nil
}
