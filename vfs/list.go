package vfs

import (
	"context"
	"io"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// listBatch is how many names are read from the folder at a time.
const listBatch = 256

// List implements [Library]. It reads the folder as it goes, so that a million
// files cost no more memory than a batch.
func (d *Dir) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for name, err := range folderNames(d.fd()) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Info{}, storeError("list", err))
				return
			}
			// What cannot be described does not exist for clients.
			if i, err := d.stat(name); err == nil && !yield(i.look(), nil) {
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
