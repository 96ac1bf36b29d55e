// Command release makes what people install: archives and packages of the
// programs, a container image, a list of what is in them, and signed digests. "make
// dist" runs it. It is no part of the programs, so it lies here, beside what it
// packs; it uses the standard library alone, and runs nfpm and ssh-keygen.
//
// What it makes depends on the commit and on the version of Go, and on nothing
// else: neither on the time nor on the folder.
//
//	main.go      the command line, and the order of the steps
//	version.go   what the release is called, from the tag and the commit
//	programs.go  builds the programs
//	pages.go     manual pages and completions, which the programs write
//	archive.go   a tar.gz or zip for each system
//	packages.go  deb, rpm and apk
//	image.go     a container image
//	sbom.go      a list of the modules in the programs (CycloneDX)
//	sums.go      SHA256SUMS, and its signature
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var r release
	flag.StringVar(&r.out, "out", "dist", "make the release in this `folder`")
	flag.StringVar(&r.key, "sign", "", "sign with this private `key` of OpenSSH, or the public one of a key in the agent")
	only := flag.String("only", "", "make it for these systems alone, as linux/amd64,windows/amd64")
	flag.Parse()
	if err := r.run(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one in the making.
type release struct {
	version
	out     string // folder of what people download
	work    string // folder of what that is made of
	key     string // file that signs; "" is none
	systems []system
}

// system is what programs are built for.
type system struct{ os, arch string }

func (s system) String() string { return s.os + "/" + s.arch }

// allSystems are those that the programs are given away for.
func allSystems() []system {
	return []system{
		{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"},
		{"freebsd", "amd64"}, {"windows", "amd64"},
	}
}

func (r *release) run(ctx context.Context, only string) (err error) {
	for _, s := range allSystems() {
		if only == "" || slices.Contains(strings.Split(only, ","), s.String()) {
			r.systems = append(r.systems, s)
		}
	}
	if len(r.systems) == 0 {
		return fmt.Errorf("-only %s names none of %v", only, allSystems())
	}
	if r.version, err = findVersion(ctx); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "shelf-release-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.work)) }()
	if err := r.clearOut(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		r.buildPrograms, r.writePages, r.packArchives, r.packPackages, r.packImage, r.listModules, r.writeSums,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("shelf %s is in %s\n", r.name, r.out)
	return nil
}

// clearOut makes the folder of the release, empty. It removes no folder but one
// that an earlier release was made in.
func (r *release) clearOut() error {
	before, err := os.ReadDir(r.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(r.out, "SHA256SUMS")); len(before) > 0 && err != nil {
		return fmt.Errorf("%s has other files than those of a release: name another folder with -out", r.out)
	}
	return errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755))
}

// linux are the systems that packages and the image are for.
func (r *release) linux() (all []system) {
	for _, s := range r.systems {
		if s.os == "linux" {
			all = append(all, s)
		}
	}
	return all
}

// program is where a program for a system is while the release is made.
func (r *release) program(s system, name string) string {
	if s.os == "windows" {
		name += ".exe"
	}
	return filepath.Join(r.work, s.os+"_"+s.arch, name)
}

// output runs a command, and returns what it prints.
func output(cmd *exec.Cmd) ([]byte, error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return out, nil
}
