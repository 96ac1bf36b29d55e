package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/pkg/sftp"
)

func (s *shell) get(ctx context.Context, args []string) error {
	dir := "."
	if n := len(args); n > 2 && args[n-2] == "to" {
		dir, args = args[n-1], args[:n-2]
	}
	if len(args) == 0 {
		return usageErrorf("which files? get NAME... [to DIR]")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return s.each(ctx, args, func(ctx context.Context, name string) error { return s.getOne(ctx, root, name) })
}

// checkLocal refuses a name that is not plainly one of a file in a folder. The
// server's names are data: none may choose where we write.
func checkLocal(name string) error {
	bad := func(r rune) bool { return r == '/' || r == '\\' || unicode.IsControl(r) }
	if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, bad) {
		return errors.New("that cannot be the name of a file here")
	}
	return nil
}

// getOne downloads to a temporary file, which takes the name when it is whole.
func (s *shell) getOne(ctx context.Context, root *os.Root, name string) error {
	if err := checkLocal(name); err != nil {
		return err
	}
	return s.transfer(ctx, func(c *channel) error {
		remote, err := c.Open("/" + name)
		if err != nil {
			return err
		}
		defer remote.Close()
		part := fmt.Sprintf(".shelf-%s.part", rand.Text())
		local, err := root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		age, err := s.download(remote, local, name)
		err = errors.Join(err, local.Close())
		if err == nil {
			err = root.Chtimes(part, age, age)
		}
		if err == nil {
			err = root.Rename(part, name)
		}
		if err != nil {
			root.Remove(part)
		}
		return err
	})
}

// download fills local, makes it durable, and tells when remote was changed.
func (s *shell) download(remote *sftp.File, local *os.File, name string) (time.Time, error) {
	info, err := remote.Stat()
	if err != nil {
		return time.Time{}, err
	}
	if !info.Mode().IsRegular() {
		return time.Time{}, errors.New("that is not a regular file")
	}
	p := s.progress("got", name, info.Size())
	n, err := remote.WriteTo(p.writer(local))
	if err == nil && n < info.Size() {
		err = fmt.Errorf("it ended after %d of %d bytes: %w", n, info.Size(), io.ErrUnexpectedEOF)
	}
	if err == nil {
		err = local.Sync()
	}
	p.end(n, err)
	return info.ModTime(), err
}
