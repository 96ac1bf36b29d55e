package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pkg/sftp"
)

func (s *shell) put(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? put FILE...")
	}
	return s.each(ctx, args, s.putOne)
}

// putOne uploads a file. CLOSE is what publishes it: if anything fails before,
// the channel is closed instead, and the server keeps what it had.
func (s *shell) putOne(ctx context.Context, file string) error {
	local, info, err := openLocal(file)
	if err != nil {
		return err
	}
	defer local.Close()
	name := filepath.Base(file)
	return s.transfer(ctx, func(c *channel) error {
		remote, err := c.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			return err
		}
		p := s.progress("put", name, info.Size())
		err = upload(c, remote, p.reader(local), info)
		p.end(info.Size(), err)
		return err
	})
}

// openLocal opens a regular file. What else it may be is found out first: to
// open a FIFO would wait for a writer.
func openLocal(file string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("not a regular file; only those can be uploaded")
	}
	local, err := os.Open(file)
	return local, info, err
}

// upload sends all of a file, and its age.
func upload(c *channel, remote *sftp.File, local io.Reader, info fs.FileInfo) error {
	n, err := remote.ReadFromWithConcurrency(local, inFlight)
	if err != nil {
		return err
	}
	if n != info.Size() {
		return fmt.Errorf("the file changed while it was read: it had %d bytes, then %d", info.Size(), n)
	}
	// Shelf sets the time of the open upload. A server that knows the name only
	// once it is closed is asked again; an age is not worth a failure.
	age := func() error { return c.Chtimes(remote.Name(), info.ModTime(), info.ModTime()) }
	early := age()
	if err := remote.Close(); err != nil {
		return err
	}
	if early != nil {
		age()
	}
	return nil
}
