package main

import (
	"log/slog"
	"path/filepath"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// sandbox is the part that holds the process to what it serves, for good: after
// open, no bug can read another file, run a program or connect to anywhere.
type sandbox struct{ log *slog.Logger }

func (b *sandbox) check(config.Settings) error { return nil }

// open gives up what serving does not need.
func (b *sandbox) open(s config.Settings) error {
	if s.Sandbox.Word == config.SandboxOff {
		return nil
	}
	_, _ = time.Now().Zone() // loads the time zone while that is possible
	required := s.Sandbox.Word == config.SandboxRequire
	err := restrict(writtenFolders(s), appendedFolders(s), readFolders(s), required)
	if err == nil {
		return nil
	}
	if required {
		return &problem{s.Where("sandbox"), "The sandbox cannot be set up", err,
			`It takes Linux 6.7 or newer with Landlock; sandbox = "auto" serves without.`}
	}
	b.log.Debug("serving without a sandbox", "reason", err)
	return nil
}

// reload cannot change the sandbox: what was given up does not come back.
func (b *sandbox) reload(was, next config.Settings) (func() error, error) {
	if was.Sandbox != next.Sandbox {
		return nil, needsRestart(next, "sandbox", "sandbox is now "+next.Sandbox.Word)
	}
	return nil, nil
}

func (b *sandbox) close() {}

// writtenFolders are the folders that the server changes.
func writtenFolders(s config.Settings) []string {
	folders := []string{s.State}
	for _, l := range s.AllLibraries() {
		folders = append(folders, l.Path)
	}
	return folders
}

// appendedFolders are those where it only adds to a file. Other files there are
// not its business.
func appendedFolders(s config.Settings) []string {
	if s.AuditLog == "" {
		return nil
	}
	return []string{filepath.Dir(s.AuditLog)}
}

// readFolders are the folders of files that are read again while it runs. Not
// only the files: an editor puts a new file in the place of the old one.
func readFolders(s config.Settings) (folders []string) {
	files := []string{s.File, s.TrustedUserCAKeys, s.RevokedKeys}
	if s.KeyFiles() != "" {
		folders = append(folders, keys.KeyFilesFolder(s.KeyFiles()))
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
