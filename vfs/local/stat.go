package local

import (
	"io/fs"
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
}

// fileID tells files apart: each upload is a file of its own.
type fileID struct{ dev, ino uint64 }

// state is what the Version of a file in a folder is made of: which file it is,
// and all that a change of its content or its attributes changes.
type state struct {
	id    fileID
	size  int64
	mode  fs.FileMode
	mtime int64 // nanoseconds since 1970
}

// public is the description that the contract asks for.
func (i info) public() vfs.Info {
	return vfs.Info{
		Name: i.name, Size: i.size, Mode: i.mode, ModTime: i.mtime,
		Version: vfs.VersionOf(state{i.id, i.size, i.mode, i.mtime.UnixNano()}),
	}
}

// infoOf reads a stat(2) result; ok is false for all but regular files.
func infoOf(name string, st *unix.Stat_t) (i info, ok bool) {
	i = info{
		name:  name,
		size:  st.Size,
		mode:  fs.FileMode(st.Mode) & fs.ModePerm,
		mtime: time.Unix(st.Mtim.Unix()),
		id:    fileID{uint64(st.Dev), st.Ino},
	}
	return i, uint32(st.Mode)&unix.S_IFMT == unix.S_IFREG
}
