package vfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// Durability is what Commit waits for.
type Durability string

const (
	// Fsync is the default: what Commit acknowledged survives a power cut.
	Fsync Durability = "fsync"
	// NoFsync survives a crash of the server, not one of the machine.
	NoFsync Durability = "none"
)

// DirOptions configures a local library; the zero value is the default.
type DirOptions struct {
	Durability   Durability
	Quota        int64        // bytes of all files, stages and partials; 0 is no quota
	MinFreeSpace int64        // bytes of the file system that uploads leave free
	Partials     PartialRules // what is kept of uploads that were cut
	Log          *slog.Logger // warnings and faults; nil discards
}

// Dir is the Library in a local directory, on Unix.
//
// A name is one path element, so openat on the directory's own descriptor with
// O_NOFOLLOW, then fstat, is free of races: whatever a local process swaps in,
// what was opened is a regular file that lies in this directory or it is
// closed again unread. O_NONBLOCK keeps a FIFO from holding us up.
type Dir struct {
	o      DirOptions
	dir    *os.File // the library
	stages *stages
	usage  *usage
}

// OpenDir opens the directory path as a library and takes it for this process:
// it makes the hidden stage folder, discards what a crash left there, and
// fails if another process serves it, if it is not a directory or cannot be
// written.
func OpenDir(path string, o DirOptions) (*Dir, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open library: %w", err)
	}
	stages, err := openStages(dir, o)
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("library %s: %w", path, err)
	}
	d := &Dir{o: o, dir: dir, stages: stages}
	d.usage = &usage{quota: o.Quota, count: d.count}
	return d, nil
}

// Close gives the library back. Uploads that are open fail.
func (d *Dir) Close() error {
	return errors.Join(d.stages.close(), d.dir.Close())
}

func (d *Dir) fd() int { return int(d.dir.Fd()) }

// Stat implements [Library].
func (d *Dir) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	i, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (d *Dir) stat(name string) (info, error) {
	if nameFault(name) != "" {
		return info{}, notExist()
	}
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return info{}, storeError("stat", err)
	}
	i, regular := infoOf(name, &st)
	if !regular {
		return info{}, notExist()
	}
	return i, nil
}

// Open implements [Library].
func (d *Dir) Open(_ context.Context, name string) (File, error) {
	f, _, err := d.open(name)
	if err != nil {
		return nil, err
	}
	return &dirFile{f, name}, nil
}

func (d *Dir) open(name string) (*os.File, info, error) {
	if nameFault(name) != "" {
		return nil, info{}, notExist()
	}
	return openRegular(d.fd(), name)
}

// openRegular opens a regular file of the folder dir for reading.
func openRegular(dir int, name string) (*os.File, info, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, info{}, storeError("open", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, info{}, storeError("fstat", err)
	}
	i, regular := infoOf(name, &st)
	if !regular {
		unix.Close(fd)
		return nil, info{}, notExist()
	}
	return os.NewFile(uintptr(fd), name), i, nil
}

// dirFile is an open version of a file.
type dirFile struct {
	*os.File
	name string
}

// Stat describes this version, whatever the name stands for by now.
func (f *dirFile) Stat() (fs.FileInfo, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, storeError("fstat", err)
	}
	i, _ := infoOf(f.name, &st)
	return i, nil
}

// ReadAt implements io.ReaderAt; past the largest offset is past the end.
func (f *dirFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.EOF
	}
	n, err := f.File.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = storeError("read", err)
	}
	return n, err
}

// listBatch is how many names are read from the folder at a time.
const listBatch = 256

// List implements [Library]. It reads the folder as it goes, so that a million
// files cost no more memory than a batch.
func (d *Dir) List(ctx context.Context) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		for name, err := range folderNames(d.fd()) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, storeError("list", err))
				return
			}
			// What cannot be described does not exist for clients.
			if i, err := d.stat(name); err == nil && !yield(i, nil) {
				return
			}
		}
	}
}

// folderNames yields the names in an open folder, reading it anew.
func folderNames(fd int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			yield("", err)
			return
		}
		folder := os.NewFile(uintptr(again), ".")
		defer folder.Close()
		for {
			names, err := folder.Readdirnames(listBatch)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

// Rename implements [Library]. The folder is synced, so that what was renamed
// stays renamed.
func (d *Dir) Rename(_ context.Context, old, new string, replace bool) error {
	if err := CheckName(new); err != nil {
		return err
	}
	if _, err := d.stat(old); err != nil {
		return err
	}
	if old == new {
		return nil
	}
	if err := d.usage.replacing(d, new, func() error { return d.place(d.fd(), old, new, replace) }); err != nil {
		return err
	}
	return d.sync()
}

// place moves the file old of a folder on this file system to a name of the
// library.
func (d *Dir) place(folder int, old, new string, replace bool) error {
	if err := d.checkTarget(new, replace); err != nil {
		return err
	}
	if !replace {
		return storeError("rename", renameNoReplace(folder, old, d.fd(), new))
	}
	return storeError("rename", unix.Renameat(folder, old, d.fd(), new))
}

// checkTarget refuses a name that stands for something else than a file, which
// a rename would replace (a link, a FIFO) and which clients cannot see.
func (d *Dir) checkTarget(name string, replace bool) error {
	_, err := d.stat(name)
	if err == nil && !replace {
		return &Error{Kind: fs.ErrExist, Why: "a file of that name exists"}
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var st unix.Stat_t
	if unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		return &Error{Kind: ErrName, Why: "the name is taken by something that is not a file of the library"}
	}
	return nil
}

// Remove implements [Library].
func (d *Dir) Remove(_ context.Context, name string) error {
	if _, err := d.stat(name); err != nil {
		return err
	}
	remove := func() error { return storeError("remove", unix.Unlinkat(d.fd(), name, 0)) }
	if err := d.usage.replacing(d, name, remove); err != nil {
		return err
	}
	return d.sync()
}

// SetAttr implements [Library].
func (d *Dir) SetAttr(ctx context.Context, name string, a Attr) error {
	if a.HasSize {
		return d.resize(ctx, name, a)
	}
	f, i, err := d.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return setAttr(d.fd(), name, f, i.mode, a)
}

// resize publishes the file anew with another size.
func (d *Dir) resize(ctx context.Context, name string, a Attr) error {
	u, err := d.Create(ctx, name, CreateOptions{})
	if err != nil {
		return err
	}
	if err := u.SetAttr(a); err != nil {
		u.Abort()
		return err
	}
	return u.Commit(ctx)
}

// setAttr sets mode and times of the open file that folder has under name.
func setAttr(folder int, name string, f *os.File, old fs.FileMode, a Attr) error {
	if a.HasMode && FileMode(a.Mode) != old {
		if err := f.Chmod(FileMode(a.Mode)); err != nil {
			return storeError("chmod", err)
		}
	}
	if !a.HasTimes {
		return nil
	}
	times := []unix.Timespec{unix.NsecToTimespec(a.Atime.UnixNano()), unix.NsecToTimespec(a.Mtime.UnixNano())}
	return storeError("utimensat", unix.UtimesNanoAt(folder, name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// sync makes the folder's names durable.
func (d *Dir) sync() error {
	if d.o.Durability == NoFsync {
		return nil
	}
	return storeError("fsync", d.dir.Sync())
}

// Space implements [Space].
func (d *Dir) Space(context.Context) (SpaceInfo, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd(), &st); err != nil {
		return SpaceInfo{}, storeError("statfs", err)
	}
	return SpaceInfo{
		BlockSize: uint64(st.Bsize),
		Blocks:    st.Blocks,
		Free:      st.Bfree,
		Available: uint64(st.Bavail),
		Files:     st.Files,
		FreeFiles: uint64(st.Ffree),
	}, nil
}

// storeError turns an error of the operating system into an *Error whose
// reason names no path.
func storeError(op string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	cause := fmt.Errorf("%s: %w", op, err)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK),
		errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOTDIR):
		// O_NOFOLLOW says ELOOP (EMLINK on FreeBSD) of a link, and a socket
		// cannot be opened (ENXIO): neither exists for clients.
		return notExist()
	case errors.Is(err, fs.ErrExist):
		return &Error{Kind: fs.ErrExist, Why: "a file of that name exists", Err: cause}
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &Error{Kind: ErrNoSpace, Why: "no space left on the server's disk", Err: cause}
	case errors.Is(err, unix.EFBIG):
		return &Error{Kind: ErrTooLarge, Why: "the file would be larger than the server's disk allows", Err: cause}
	case errors.Is(err, unix.EISDIR):
		return &Error{Kind: ErrName, Why: "the name is taken by something that is not a file of the library", Err: cause}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Kind: fs.ErrPermission, Why: "the server may not access that file", Err: cause}
	case errors.Is(err, unix.EROFS):
		return &Error{Kind: fs.ErrPermission, Why: "the server's disk is read-only", Err: cause}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return cause
	}
	return &Error{Kind: ErrIO, Why: "the server's disk failed", Err: cause}
}
