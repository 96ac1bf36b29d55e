package vfs

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// info describes a file of a library. It has no owner: who runs the server is
// nothing that a client needs to know.
type info struct {
	name  string
	size  int64
	mode  fs.FileMode
	mtime time.Time
	id    fileID
}

// fileID tells versions of a file apart: each upload is a file of its own.
type fileID struct{ dev, ino uint64 }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.mtime }
func (i info) IsDir() bool        { return i.mode.IsDir() }

// Sys is comparable and the same for two FileInfos of the same version.
func (i info) Sys() any { return i.id }

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
