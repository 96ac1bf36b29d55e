package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
)

func (s *shell) get(args []string) error {
	dir := "."
	if n := len(args); n > 2 && args[n-2] == "to" {
		dir, args = args[n-1], args[:n-2]
	}
	if len(args) == 0 {
		return &exitError{exitUsage, errors.New("name the files to get, as in: get a.txt b.txt to DIR")}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return s.each(args, func(name string) error { return s.download(root, name) })
}

// each does one file after the other: one that fails does not stop the rest.
func (s *shell) each(names []string, do func(string) error) error {
	failed := 0
	for _, name := range names {
		if err := do(name); err != nil {
			failed++
			fmt.Fprintf(s.err, "%s: %v\n", printable(name), reason(err))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files failed", failed, len(names))
	}
	return nil
}

// localName refuses a name that is no plain file name here.
func localName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("that is not a name for a local file")
	}
	return nil
}

// download writes to a temporary file that takes the name once it is whole.
func (s *shell) download(root *os.Root, name string) (err error) {
	if err := localName(name); err != nil {
		return err
	}
	remote, err := s.conn.Open("/" + name)
	if err != nil {
		return err
	}
	defer remote.Close()
	info, err := remote.Stat()
	if err != nil {
		return err
	}
	tmp := fmt.Sprintf(".shelf-%d.part", os.Getpid())
	local, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		local.Close()
		if err != nil {
			root.Remove(tmp)
		}
	}()
	start := time.Now()
	n, err := remote.WriteTo(local)
	if err == nil && n != info.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, local.Sync(), local.Close()); err != nil {
		return err
	}
	if err := root.Chtimes(tmp, info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	if err := root.Rename(tmp, name); err != nil {
		return err
	}
	s.done("got", name, n, start)
	return nil
}

// done says one line a file.
func (s *shell) done(what, name string, n int64, start time.Time) {
	took := time.Since(start)
	rate := int64(float64(n) / max(took.Seconds(), 0.001))
	fmt.Fprintf(s.out, "%s %s: %s in %s (%s/s)\n", what, printable(name), size(n), took.Round(time.Millisecond), size(rate))
}
