package vfs

import (
	"io/fs"
	"time"
)

// Info describes a file as it was when somebody looked.
type Info struct {
	Name    string
	Size    int64       // bytes
	Mode    fs.FileMode // permission bits; of a folder [fs.ModeDir] as well
	ModTime time.Time
	Version Version
}

// IsDir tells a folder from a file. A Library describes files alone.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// Version is the same (==) for two looks at a file exactly if its content and
// its attributes are the same. A new name makes no new version. Only the store
// that made it knows what is in it.
type Version struct{ is any }

// VersionOf makes a Version of what a store knows a version by.
func VersionOf[T comparable](v T) Version { return Version{v} }
