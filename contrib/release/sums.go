package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// writeSums writes the digests of all files, and signs them in the form of SSHSIG
// for the namespace "file". An Ed25519 key signs the same each time.
func (r *release) writeSums(ctx context.Context) error {
	entries, err := os.ReadDir(r.out) // sorted
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", strings.TrimPrefix(digest(content), "sha256:"), e.Name())
	}
	file := filepath.Join(r.out, "SHA256SUMS")
	if err := os.WriteFile(file, sums.Bytes(), 0o644); err != nil {
		return err
	}
	if r.key == "" {
		fmt.Println("SHA256SUMS is not signed: name a key with -sign, or SIGN=key of make dist")
		return nil
	}
	sign := exec.CommandContext(ctx, "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", r.key, file)
	sign.Stdin = os.Stdin // for the passphrase
	_, err = output(sign)
	return err
}
