package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// file is one in an archive.
type file struct {
	name string // path in the archive
	from string // path on disk; "" is a folder
	mode fs.FileMode
}

// packArchives packs the programs and their documents for each system.
func (r *release) packArchives(context.Context) error {
	for _, s := range r.systems {
		folder := "shelf_" + r.name + "_" + s.os + "_" + s.arch
		files, err := r.archived(s, folder)
		if err != nil {
			return err
		}
		if s.os == "windows" {
			err = writeTo(filepath.Join(r.out, folder+".zip"), func(w io.Writer) error { return writeZip(w, files, r.time) })
		} else {
			err = writeTo(filepath.Join(r.out, folder+".tar.gz"), func(w io.Writer) error { return writeTarGz(w, files, r.time) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// archived are the files of the archive for a system.
func (r *release) archived(s system, folder string) (files []file, err error) {
	for _, name := range s.programs() {
		program := r.program(s, name)
		files = append(files, file{path.Join(folder, filepath.Base(program)), program, 0o755})
	}
	from := []string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "docs"}
	if s.os != "windows" {
		from = append(from, "contrib/shelfd.toml", "contrib/shelfd.service", r.pages())
	}
	for _, top := range from {
		err = errors.Join(err, filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name := filepath.ToSlash(p)
			if below, is := strings.CutPrefix(p, r.pages()); is {
				name = "share" + filepath.ToSlash(below)
			}
			files = append(files, file{path.Join(folder, name), p, 0o644})
			return nil
		}))
	}
	return files, err
}

// writeTo makes a file and has write fill it.
func writeTo(name string, write func(io.Writer) error) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Close())
}

func writeTarGz(w io.Writer, files []file, at time.Time) error {
	packed := gzip.NewWriter(w) // its head has neither a name nor a time
	return errors.Join(writeTar(packed, files, at), packed.Close())
}

// writeTar writes files that belong to root.
func writeTar(w io.Writer, files []file, at time.Time) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		head := &tar.Header{Name: f.name, Mode: int64(f.mode), ModTime: at, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		var content []byte
		if f.from == "" {
			head.Name, head.Typeflag = f.name+"/", tar.TypeDir
		} else {
			var err error
			if content, err = os.ReadFile(f.from); err != nil {
				return err
			}
			head.Size = int64(len(content))
		}
		if err := archive.WriteHeader(head); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func writeZip(w io.Writer, files []file, at time.Time) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		head := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		head.SetMode(f.mode)
		to, err := archive.CreateHeader(head)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(f.from)
		if err != nil {
			return err
		}
		if _, err := to.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}
