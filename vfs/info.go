package vfs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// Change is a file before a change of its name or attributes, and after it. Who
// knew it by its version knows it by the new one from then on. Of what is published
// anew there is no Before.
type Change struct {
	Before, After Info
	Replaced      Info // the file that had the name After.Name; the zero Info is none
}

// Version is the same (==) for two looks at a file that was not changed between
// them, and never for two files, nor for two contents or sets of attributes of
// one. A new name may make a new version. Only the store that made it knows what
// is in it.
type Version struct{ is any }

// VersionOf makes a Version of what a store knows a version by.
func VersionOf[T comparable](v T) Version { return Version{v} }

// String is a short text that is the same for the same Version, for logs; ""
// for the zero Version.
func (v Version) String() string {
	if v.is == nil {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%T %v", v.is, v.is))
	return hex.EncodeToString(sum[:8])
}
