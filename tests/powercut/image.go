//go:build linux

package powercut

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Image is one disk that may be found after a cut.
type Image struct {
	top   drawnDir
	files map[uint64]drawnFile

	// Lost says what of the changes that were not synced is not there.
	Lost []string
}

type drawnDir struct {
	attr    attributes
	entries map[string]uint64
	dirs    map[string]drawnDir
}

type drawnFile struct {
	attr attributes
	data []byte
}

// Write makes a directory of it, which must not be there yet. Two names of one
// file are that there, too.
func (i *Image) Write(dir string) error {
	return i.write(i.top, dir, make(map[uint64]string))
}

// write makes one directory; written is where each file was written first.
func (i *Image) write(d drawnDir, dir string, written map[uint64]string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, id := range d.entries {
		path := filepath.Join(dir, name)
		if below, ok := d.dirs[name]; ok {
			if err := i.write(below, path, written); err != nil {
				return err
			}
			continue
		}
		if first, ok := written[id]; ok {
			if err := os.Link(first, path); err != nil {
				return err
			}
			continue
		}
		written[id] = path
		if err := i.files[id].write(path); err != nil {
			return err
		}
	}
	return os.Chmod(dir, fs.FileMode(d.attr.mode))
}

func (f drawnFile) write(path string) error {
	if err := os.WriteFile(path, f.data, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(path, fs.FileMode(f.attr.mode)); err != nil {
		return err
	}
	for name, value := range f.attr.extended {
		// Where the files are written there may be no such attributes.
		if err := unix.Setxattr(path, name, []byte(value), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return err
		}
	}
	return os.Chtimes(path, f.attr.atime, f.attr.mtime)
}
