package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"shelf/keys"
)

// sandbox says whether the kernel is asked to hold the process to what it
// serves: as far as it can, or else not to serve, or not at all.
type sandbox struct{ mode sandboxMode }

type sandboxMode int

const (
	sandboxAuto sandboxMode = iota
	sandboxRequire
	sandboxOff
)

var sandboxModes = [...]string{sandboxAuto: "auto", sandboxRequire: "require", sandboxOff: "off"}

func (s *sandbox) UnmarshalText(text []byte) error {
	i := slices.Index(sandboxModes[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is not auto, require or off", text)
	}
	s.mode = sandboxMode(i)
	return nil
}

func (s sandbox) MarshalText() ([]byte, error) { return []byte(sandboxModes[s.mode]), nil }

// enclose gives up all that serving does not need, for good: from here on no
// bug can read another file, run a program or connect to anywhere.
func (s settings) enclose(log *slog.Logger) error {
	if s.Sandbox.mode == sandboxOff {
		return nil
	}
	_, _ = time.Now().Zone() // has the time zone loaded while it can be
	err := restrict(s.written(), s.logged(), s.read(), s.Sandbox.mode == sandboxRequire)
	if err == nil {
		return nil
	}
	if s.Sandbox.mode == sandboxRequire {
		return &problem{s.places.where("sandbox"), "The server cannot be held to what it serves", err,
			`It takes Linux 6.7 or newer with Landlock; sandbox = "auto" does without.`}
	}
	log.Debug("not held to what is served", "reason", err)
	return nil
}

// written are the folders that the server changes.
func (s settings) written() []string {
	folders := []string{s.State}
	for _, l := range s.libraries() {
		folders = append(folders, l.Path)
	}
	return folders
}

// logged are the folders where it only adds to a file: others may be there that
// are not its business.
func (s settings) logged() []string {
	if s.AuditLog == "" {
		return nil
	}
	return []string{filepath.Dir(s.AuditLog)}
}

// read are the folders of the files that are read again while it runs. Not the
// files alone: an editor puts a new one in the place of the old.
func (s settings) read() (folders []string) {
	files := []string{s.configFile, s.TrustedUserCAKeys, s.RevokedKeys}
	if s.keyFiles() != "" {
		folders = append(folders, keys.KeyFilesFolder(s.keyFiles()))
	} else {
		files = append(files, s.AuthorizedKeysFile)
	}
	for name, a := range s.Accounts {
		files = append(files, keys.ExpandUser(a.AuthorizedKeysFile, name))
	}
	for _, file := range files {
		if file != "" {
			folders = append(folders, filepath.Dir(file))
		}
	}
	return folders
}
