package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shelf/cmd/shelfd/config"
)

// What decides who enters, and what records it, is out of the reach of clients
// and of other users: check, a start and a reload refuse it otherwise.
func TestProtectedFiles(t *testing.T) {
	key := publicKey(t)
	for what, test := range map[string]struct {
		spoil func(dir string, s *config.Settings) error
		want  string // "" is that it is fine

		account bool // it concerns one account, and not all
	}{
		"nothing": {func(string, *config.Settings) error { return nil }, "", false},
		"a configuration in the library": {func(dir string, s *config.Settings) error {
			s.File = filepath.Join(dir, "library", "shelfd.toml")
			return os.WriteFile(s.File, nil, 0o600)
		}, "the configuration ", false},
		"a configuration behind a link in the library": {func(dir string, s *config.Settings) error {
			link := filepath.Join(dir, "library", "shelfd.toml")
			err := os.Symlink(s.File, link)
			s.File = link
			return err
		}, "the configuration ", false},
		"a configuration that others write": {func(_ string, s *config.Settings) error { return os.Chmod(s.File, 0o666) }, "so others may write it", false},
		"a configuration that others replace": {func(_ string, s *config.Settings) error { return os.Chmod(filepath.Dir(s.File), 0o777) },
			"so others may replace shelfd.toml", false},
		"an audit log that others write": {func(dir string, s *config.Settings) error {
			s.AuditLog = filepath.Join(dir, "etc", "audit")
			return errors.Join(os.WriteFile(s.AuditLog, nil, 0o600), os.Chmod(s.AuditLog, 0o620))
		}, "The audit log is not protected", false},
		"an audit log that others make": {func(dir string, s *config.Settings) error {
			s.AuditLog = filepath.Join(dir, "open", "audit")
			return errors.Join(os.Mkdir(filepath.Dir(s.AuditLog), 0o700), os.Chmod(filepath.Dir(s.AuditLog), 0o777))
		}, "so others may replace audit", false},
		"a key file that is a link into the library": {func(dir string, s *config.Settings) error {
			file := filepath.Join(dir, "library", "bob")
			return errors.Join(os.WriteFile(file, []byte(key), 0o600), os.Symlink(file, filepath.Join(dir, "keys", "bob")))
		}, "the file of authorized keys ", true},
		"a library in the state folder": {func(dir string, s *config.Settings) error {
			s.Library = filepath.Join(s.State, "library")
			return os.MkdirAll(s.Library, 0o700)
		}, "lies in the state directory", false},
	} {
		dir := t.TempDir()
		for _, folder := range []string{"library", "etc", "keys"} {
			if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		s := config.Defaults()
		s.Library, s.State, s.File = filepath.Join(dir, "library"), filepath.Join(dir, "state"), filepath.Join(dir, "etc", "shelfd.toml")
		s.AuthorizedKeysFile, s.Listen = filepath.Join(dir, "keys", "%u"), "127.0.0.1:0"
		if err := errors.Join(os.WriteFile(s.File, nil, 0o600), os.WriteFile(filepath.Join(dir, "keys", "ada"), []byte(key), 0o600)); err != nil {
			t.Fatal(err)
		}
		was := s
		if err := test.spoil(dir, &s); err != nil {
			t.Fatal(err)
		}
		all := newServer(s, slog.New(slog.DiscardHandler), io.Discard)
		_, reload := apart{}.reload(was, s)
		for how, err := range map[string]error{"check": all.check(), "reload": reload, "start": apart{}.open(s)} {
			switch {
			case test.account && how != "check":
				if err != nil { // of the part apart; who has that key file is kept out
					t.Errorf("%s, %s: %v", what, how, err)
				}
			case test.want == "" && err != nil:
				t.Errorf("%s, %s: %v", what, how, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%s, %s: got %v, want %q", what, how, err, test.want)
			}
		}
	}
}
