package sftp

import (
	"io/fs"
	"time"

	"shelf/vfs"
)

// fileInfo is a description of a file as pkg/sftp reads it.
type fileInfo struct{ vfs.Info }

func (i fileInfo) Name() string       { return i.Info.Name }
func (i fileInfo) Size() int64        { return i.Info.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.Info.Mode }
func (i fileInfo) ModTime() time.Time { return time.Unix(int64(wireTime(i.Info.ModTime)), 0) }
func (i fileInfo) Sys() any           { return nil }
