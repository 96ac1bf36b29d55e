package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// pages is the folder of manual pages and completions, by where they go below
// the folder /usr/share of a system.
func (r *release) pages() string { return filepath.Join(r.work, "share") }

// page is a file that a program writes.
type page struct {
	file    string
	program string
	args    []string
}

func allPages() []page {
	all := []page{
		{"man/man1/shelf.1", "shelf", []string{"man"}},
		{"man/man5/shelfd.toml.5", "shelfd", []string{"man", "shelfd.toml"}},
		{"man/man8/shelfd.8", "shelfd", []string{"man"}},
		{"bash-completion/completions/shelf", "shelf", []string{"completion", "bash"}},
		{"bash-completion/completions/shelfd", "shelfd", []string{"completion", "bash"}},
		{"zsh/site-functions/_shelf", "shelf", []string{"completion", "zsh"}},
		{"zsh/site-functions/_shelfd", "shelfd", []string{"completion", "zsh"}},
		{"fish/vendor_completions.d/shelf.fish", "shelf", []string{"completion", "fish"}},
		{"fish/vendor_completions.d/shelfd.fish", "shelfd", []string{"completion", "fish"}},
	}
	for _, command := range []string{"init", "add", "serve", "check", "deliver", "passwd", "totp", "hostkey", "keygen"} {
		all = append(all, page{fmt.Sprintf("man/man8/shelfd-%s.8", command), "shelfd", []string{"man", command}})
	}
	return all
}

// writePages has the programs write their pages.
func (r *release) writePages(ctx context.Context) error {
	here := system{runtime.GOOS, runtime.GOARCH}
	for _, p := range allPages() {
		text, err := output(exec.CommandContext(ctx, r.program(here, p.program), p.args...))
		if err != nil {
			return err
		}
		path := filepath.Join(r.pages(), filepath.FromSlash(p.file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
