package local

import (
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// info describes a file of a [Dir]. It has no owner: who runs the server is
// nothing that a client needs to know.
type info struct {
	name  string
	size  int64
	mode  fs.FileMode
	mtime time.Time
	id    fileID
	born  unix.Timespec // zero where the file system does not tell
	ctime unix.Timespec
	links uint64
	uid   uint32 // whose it is
}

// fileID tells the files apart that exist at the same time.
type fileID struct{ dev, ino uint64 }

// state is what the Version of a file in a folder is made of. An inode number is
// used again soon after its file was removed. The times of birth and of the last
// change, which no program can set, tell the new file from the old one; see
// versions.
type state struct {
	id          fileID
	born, ctime unix.Timespec
	size        int64
	mode        fs.FileMode
	mtime       int64 // nanoseconds since 1970
}

// isForeign tells of a regular file whether it may be one from elsewhere on the
// disk: it has another name, and is not the server's. Who may make links in the
// folder would otherwise have the server show, or chmod, a file that they may not
// open themselves.
func (o *Options) isForeign(i info) bool {
	return i.links > 1 && i.uid != uint32(os.Geteuid()) && !o.AllowHardLinks
}

// isForeign tells of a regular file of the library whether it may be one from
// elsewhere on the disk. A name in the history is none elsewhere.
func (d *Dir) isForeign(i info) bool {
	if !d.o.now().isForeign(i) {
		return false
	}
	i.links -= d.secondNames(i)
	return d.o.now().isForeign(i)
}

// secondNames is how many names a file of the library has in the history.
func (d *Dir) secondNames(i info) (n uint64) {
	versions, err := d.history.Of(i.name)
	for _, v := range versions {
		if err == nil && i.id == (fileID{v.Dev, v.Ino}) {
			n++
		}
	}
	return n
}

// orNone is what the contract tells of a file, or of none.
func (i info) orNone() vfs.Info {
	if i.id == (fileID{}) {
		return vfs.Info{}
	}
	return i.public()
}

// public is the description that the contract asks for.
func (i info) public() vfs.Info {
	return vfs.Info{
		Name: i.name, Size: i.size, Mode: i.mode, ModTime: i.mtime,
		Version: vfs.VersionOf(state{i.id, i.born, i.ctime, i.size, i.mode, i.mtime.UnixNano()}),
	}
}

// infoOf reads a stat(2) result, which has no time of birth on every system;
// regular is false for all but regular files.
func infoOf(name string, st *unix.Stat_t) (i info, regular bool) {
	i = info{
		name:  name,
		size:  st.Size,
		mode:  fs.FileMode(st.Mode) & fs.ModePerm,
		mtime: time.Unix(st.Mtim.Unix()),
		id:    fileID{uint64(st.Dev), st.Ino},
		ctime: st.Ctim,
		links: uint64(st.Nlink),
		uid:   st.Uid,
	}
	return i, uint32(st.Mode)&unix.S_IFMT == unix.S_IFREG
}
