// Package local is a library in a folder of the server's own disk.
//
//	dir.go stat.go        Dir: open, describe
//	versions.go           no version is like another
//	list.go               list
//	change.go link.go     rename, remove, set attributes; renaming without replacing
//	renames.go            what a listing under way is told of renames
//	create.go upload.go   an upload: what it starts from, and while it goes on
//	commit.go             how it is published: the promise, in one screen
//	foldersync.go         one fsync of the folder for all who wait for it
//	instance.go others.go  the hidden folder, where each server has its own; which others there are
//	sweep.go              what dead ones have left there
//	renew.go              what somebody has taken away there is made anew
//	stage.go              a file there: an upload waits in it; whether one can be made
//	partial.go attempts.go  what is kept of an upload that was cut; which of two
//	saved.go              what fsync@openssh.com made survive a crash
//	room.go               how much there may be: limits, the disk, the quota (package quota)
//	owners.go             who has published what, and the quota of an account
//	kept.go restore.go    what is replaced is kept; how it comes back
//	retention.go expire.go  how long that is kept; who removes files that are old
//	dir_linux.go dir_bsd.go  system calls that differ
package local

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/digests"
	"shelf/vfs/local/history"
	"shelf/vfs/local/quota"
)

// Durability is what Commit waits for.
type Durability string

const (
	// Fsync is the default: what Commit acknowledged survives a power cut.
	Fsync Durability = "fsync"
	// NoFsync survives a crash of the server, not one of the machine.
	NoFsync Durability = "none"
)

// Step is a part of a publication that takes time.
type Step int

const (
	Syncing    Step = iota // the content goes to the disk
	Publishing             // all of it, from CLOSE to the end
)

// Options configures a local library; the zero value is the default.
type Options struct {
	Durability   Durability
	Quota        int64       // bytes of all files, stages and partials, at least a block each; 0 is no quota
	MaxFiles     int64       // files, stages and partials; 0 is no limit
	AccountQuota int64       // bytes of the files that one owner has published, and uploads; 0 is no quota
	MinFreeSpace int64       // bytes of the file system that uploads leave free
	Umask        fs.FileMode // what new files do not get of the mode that is asked for
	FileMode     fs.FileMode // what all files that are published get, whatever is asked for; 0 is what is asked for
	// AllowHardLinks serves files that have another name somewhere and belong to
	// another user than the server; else they do not exist for clients.
	AllowHardLinks bool
	Versions       VersionRules   // what is kept of what was replaced or removed
	Hold           vfs.Hold       // as long as it counts no version is removed
	Partials       *PartialRules  // what is kept of uploads that were cut; nil is DefaultPartialRules
	Digests        *digests.Cache // remembers the digests of files; nil is to compute them each time
	Log            *slog.Logger   // warnings and faults; nil discards

	// Timed is told how long each step of a publication took, and Publishing for all
	// of it; nil is nobody.
	Timed func(step Step, took time.Duration)
}

// complete fills in what was left out.
func (o Options) complete() *Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Partials == nil {
		rules := DefaultPartialRules()
		o.Partials = &rules
	}
	if o.Timed == nil {
		o.Timed = func(Step, time.Duration) {}
	}
	return &o
}

// options are the Options that count now.
type options struct{ current atomic.Pointer[Options] }

func (o *options) now() *Options { return o.current.Load() }

// Dir is the Library in a local directory, on Unix.
//
// A name is one path element, so openat on the directory's own descriptor with
// O_NOFOLLOW, then fstat, is free of races: whatever a local process swaps in,
// what was opened is a regular file that lies in this directory or it is
// closed again unread. O_NONBLOCK keeps a FIFO from holding us up.
type Dir struct {
	o      *options
	dir    syncedFolder // the library
	quota  *quota.Quota
	owners *owners

	serving atomic.Pointer[stages] // the stage folder as this instance has it
	former  []*stages              // as it had it before it was lost; of the sweeper

	history  *history.Folder // what its names have stood for
	twoSteps bool            // renames without replacing take two steps here
	versions versions
	done     chan struct{} // closed at Close
	closing  sync.Once
	sweeper  sync.WaitGroup
}

// Open opens the directory path as a library: it makes the hidden stage folder,
// discards what a crash left there, and fails if path is not a directory or cannot be
// written. Other processes, here or on other machines, may serve it, too.
func Open(path string, o Options) (*Dir, error) {
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open library: %w", err)
	}
	return OpenFolder(dir, path, o)
}

// OpenFolder is Open of a directory that is open already. It takes and closes it.
func OpenFolder(dir *os.File, path string, o Options) (*Dir, error) {
	d := &Dir{o: new(options), dir: syncedFolder{File: dir}, done: make(chan struct{})}
	d.quota = quota.New(quota.Library{Count: d.count, DropOldest: d.dropOldest, Size: d.size})
	d.owners = newOwners(d.countOwners, d.isShared)
	d.Change(o)
	s, err := openStages(dir, d.o, d.quota)
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("library %s: %w", path, err)
	}
	d.serving.Store(s)
	d.twoSteps = s.twoSteps
	d.history = history.New(s.top, func(folder *os.File) error { return d.o.now().sync(folder) })
	d.quota.Share(servers{s})
	if o.Versions.PerName > 0 && s.noLinks != nil {
		return nil, errors.Join(fmt.Errorf("library %s: versions cannot be kept, since this file system makes no links: %w", path, s.noLinks), d.Close())
	}
	if o.Versions.PerName > 0 {
		if err := d.history.Make(); err != nil {
			return nil, errors.Join(fmt.Errorf("library %s: make the folder of versions: %w", path, err), d.Close())
		}
	}
	d.sweeper.Go(d.tend)
	d.sweeper.Go(d.sweepVersionsUntilDone)
	return d, nil
}

// Change sets other Options, which count from the next call on.
func (d *Dir) Change(o Options) {
	d.o.current.Store(o.complete())
	d.quota.SetLimit(quota.Amount{Bytes: o.Quota, Files: o.MaxFiles})
	d.owners.setLimit(o.AccountQuota)
}

// IsAt tells whether this library is what a path leads to now.
func (d *Dir) IsAt(path string) bool {
	is, err := d.dir.Stat()
	if err != nil {
		return false
	}
	at, err := os.Stat(path)
	return err == nil && os.SameFile(is, at)
}

// Properties implements [vfs.Library].
func (d *Dir) Properties() vfs.Properties {
	return vfs.Properties{
		Durable: d.o.now().Durability != NoFsync, AtomicRename: !d.twoSteps, OldVersionsReadable: true, Fsync: true,
		KeepsVersions: d.o.now().Versions.PerName > 0,
	}
}

// Close gives the library back. Uploads that are open fail.
func (d *Dir) Close() error {
	d.closing.Do(func() { close(d.done) })
	d.sweeper.Wait()
	d.quota.Share(nil)
	return errors.Join(d.history.Close(), d.closeStages(), d.dir.Close())
}

func (d *Dir) fd() int { return int(d.dir.Fd()) }

// Stat implements [vfs.Library].
func (d *Dir) Stat(_ context.Context, name string) (vfs.Info, error) {
	i, err := d.stat(name)
	return i.public(), err
}

func (d *Dir) stat(name string) (info, error) {
	i, regular, err := d.look(name)
	switch {
	case err != nil:
		return info{}, vfs.SystemError("stat", err)
	case !regular:
		return info{}, vfs.NotExist()
	}
	return i, nil
}

// look describes what has a name; regular is false for what is not a file of
// the library. The error is the system's.
func (d *Dir) look(name string) (i info, regular bool, err error) {
	if vfs.CheckName(name) != nil {
		return info{}, false, nil
	}
	return d.statAt(name)
}

// statAt describes what has a name; regular is false for what is not a file of
// the library.
func (d *Dir) statAt(name string) (i info, regular bool, err error) {
	i, regular, err = statAt(d.fd(), name)
	return i, regular && !d.isForeign(i), err
}

// Open implements [vfs.Library].
func (d *Dir) Open(_ context.Context, name string) (vfs.File, error) {
	f, _, err := d.open(name)
	if err != nil {
		return nil, err
	}
	return &dirFile{f, name, d.o.now().Digests}, nil
}

func (d *Dir) open(name string) (*os.File, info, error) {
	if vfs.CheckName(name) != nil {
		return nil, info{}, vfs.NotExist()
	}
	return d.openAs(unix.O_RDONLY|unix.O_NONBLOCK, name)
}

// openAs opens a file of the library with flags of open(2).
func (d *Dir) openAs(flags int, name string) (*os.File, info, error) {
	fd, err := unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, info{}, vfs.SystemError("open", err)
	}
	i, regular, err := statFile(fd, name)
	switch {
	case err != nil:
		unix.Close(fd)
		return nil, info{}, vfs.SystemError("fstat", err)
	case !regular, d.isForeign(i):
		unix.Close(fd)
		return nil, info{}, vfs.NotExist()
	}
	return os.NewFile(uintptr(fd), name), i, nil
}

// dirFile is an open version of a file.
type dirFile struct {
	*os.File
	name    string
	digests *digests.Cache // or nil
}

// Digest implements [vfs.Digest].
func (f *dirFile) Digest(ctx context.Context, a crypto.Hash) ([]byte, error) {
	if f.digests == nil {
		sum, err := vfs.ReadDigest(ctx, f.File, a)
		return sum, vfs.SystemError("read", err)
	}
	return f.digests.Of(ctx, f.File, a)
}

// Stat describes this version, whatever the name stands for by now.
func (f *dirFile) Stat() (vfs.Info, error) {
	i, err := f.stat()
	return i.public(), err
}

func (f *dirFile) stat() (info, error) {
	i, _, err := statFile(int(f.Fd()), f.name)
	return i, vfs.SystemError("fstat", err)
}

// ReadAt implements io.ReaderAt; past the largest offset is past the end.
func (f *dirFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.EOF
	}
	n, err := f.File.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = vfs.SystemError("read", err)
	}
	return n, err
}
