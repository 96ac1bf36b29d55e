package main

import (
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func (s *shell) sync(ctx context.Context, o *choices, args []string) error {
	if len(args) != 1 {
		return usageErrorf("which folder? sync DIR")
	}
	files, err := s.outdated(ctx, o, args[0])
	if err != nil {
		return err
	}
	if o.dryRun {
		for _, f := range files {
			s.sayf("would put %s", printable(f))
			s.event(failEvent{Event: "would put", Name: f})
		}
		s.sayf("%d files to put", len(files))
		return nil
	}
	if len(files) == 0 {
		s.sayf("all is there")
		return nil
	}
	return s.putFiles(ctx, o, files)
}

// outdated are the files of a folder that the server has not, or not as they
// are here.
func (s *shell) outdated(ctx context.Context, o *choices, dir string) (files []string, err error) {
	local, left, err := localFolder(dir)
	if err != nil {
		return nil, err
	}
	if left > 0 {
		s.detailf("%d names in %s are left out: folders, hidden files, and what is no file", left, printable(dir))
	}
	listed, err := s.files(ctx)
	if err != nil {
		return nil, err
	}
	there := make(map[string]attrs, len(listed))
	for _, e := range listed {
		there[e.name] = e.attrs
	}
	for _, info := range local {
		file := filepath.Join(dir, info.Name())
		a, ok := there[info.Name()]
		if ok && s.upToDate(ctx, o, file, info, a) {
			continue
		}
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		files = append(files, file)
	}
	return files, nil
}

// localFolder are the files in a folder that can be on the server, and how many
// names are left out.
func localFolder(dir string) (files []fs.FileInfo, left int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, reason(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(info.Name(), ".") {
			left++
			continue
		}
		files = append(files, info)
	}
	return files, left, nil
}

// upToDate compares a file with the one of its name on the server.
func (s *shell) upToDate(ctx context.Context, o *choices, file string, info fs.FileInfo, there attrs) bool {
	if info.Size() != there.size {
		return false
	}
	if !o.checksum {
		return sameTime(info.ModTime(), there.modified)
	}
	theirs, err := s.remote.digest(ctx, s.remote.path(info.Name()), there.size, nil)
	if err != nil {
		return false
	}
	ours, err := fileDigest(ctx, file)
	return err == nil && ours == theirs
}

func fileDigest(ctx context.Context, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = hashFirst(ctx, h, f, info.Size())
	return hexDigest(h), err
}
