package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

func (s *shell) put(args []string) error {
	if len(args) == 0 {
		return &exitError{exitUsage, errors.New("name the files to put, as in: put a.txt b.txt")}
	}
	return s.each(args, s.upload)
}

// upload sends a file. CLOSE is where the server publishes, so it is sent only
// when all was sent; after a failure the upload is taken back by ending the
// connection, which every later file then meets as an error.
func (s *shell) upload(file string) error {
	before, err := os.Stat(file) // first, since to open a FIFO would wait
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() {
		return errors.New("not a regular file; only files can be uploaded")
	}
	local, err := os.Open(file)
	if err != nil {
		return err
	}
	defer local.Close()
	name := filepath.Base(file)
	remote, err := s.conn.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	start := time.Now()
	n, err := remote.ReadFromWithConcurrency(io.LimitReader(local, before.Size()), 64)
	if err == nil && n != before.Size() {
		err = errors.New("the local file shrank while it was read")
	}
	if err == nil {
		err = s.conn.Chtimes("/"+name, before.ModTime(), before.ModTime())
	}
	if err != nil {
		s.conn.Close()
		return err
	}
	if err := remote.Close(); err != nil {
		return err
	}
	s.done("put", name, n, start)
	return nil
}
