package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// nfpm makes packages of all three kinds from one description. It runs by its
// version and is no module of ours: it is larger than both programs.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

// packPackages makes packages for Linux, as contrib/package/nfpm.yaml says.
func (r *release) packPackages(ctx context.Context) error {
	if err := r.stageSources(); err != nil {
		return err
	}
	for _, s := range r.linux() {
		for _, kind := range []string{"deb", "rpm", "apk"} {
			if err := r.packPackage(ctx, s, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// sources is the folder where nfpm runs.
func (r *release) sources() string { return filepath.Join(r.work, "sources") }

// stageSources copies there what is packed, and gives all files in the making the
// time of the commit: nfpm takes over the times of some.
func (r *release) stageSources() error {
	for _, folder := range []string{"docs", "contrib"} {
		if err := os.CopyFS(filepath.Join(r.sources(), folder), os.DirFS(folder)); err != nil {
			return err
		}
	}
	for _, file := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.sources(), file), content, 0o644); err != nil {
			return err
		}
	}
	return filepath.WalkDir(r.work, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, r.time, r.time))
	})
}

func (r *release) packPackage(ctx context.Context, s system, kind string) error {
	described, err := os.ReadFile("contrib/package/nfpm.yaml")
	if err != nil {
		return err
	}
	version := r.name
	if kind == "apk" {
		version = r.apk
	}
	filled := os.Expand(string(described), func(name string) string {
		return map[string]string{
			"ARCH": s.arch, "VERSION": version, "TIME": r.time.Format(time.RFC3339),
			"PROGRAMS": filepath.Dir(r.program(s, "shelfd")), "SHARE": r.pages(),
		}[name]
	})
	out, err := filepath.Abs(r.out)
	if err != nil {
		return err
	}
	file := filepath.Join(r.work, "nfpm.yaml")
	if err := os.WriteFile(file, []byte(filled), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", nfpm, "package", "--config", file, "--packager", kind, "--target", out)
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.time.Unix()))
	cmd.Dir = r.sources()
	_, err = output(cmd)
	return err
}
