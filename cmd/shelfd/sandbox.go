package main

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/confine"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/vfs/local"
)

// sandbox is the part that holds the process to what it serves, for good: after
// open, no bug can read another file, run a program or connect to anywhere.
// Landlock says which files can be reached, and seccomp which system calls there
// are.
type sandbox struct{ log *slog.Logger }

func (b *sandbox) check(config.Settings) error { return nil }

// open gives up what serving does not need. Landlock comes first: setting it up
// takes system calls that seccomp then refuses.
func (b *sandbox) open(s config.Settings) error {
	if s.Sandbox.Word == config.SandboxOff {
		return nil
	}
	_, _ = time.Now().Zone() // loads the time zone while that is possible
	required := s.Sandbox.Word == config.SandboxRequire
	for _, layer := range []func() error{
		func() error { return confine.Files(reachOf(s), required) },
		func() error { return confine.Calls(confine.Needs{Connects: s.HasBuckets(), Passes: s.HasGates()}) },
	} {
		err := layer()
		if err != nil && required {
			return &problem{s.Where("sandbox"), "The sandbox cannot be set up", err,
				`It takes Linux 6.7 or newer with Landlock and seccomp, on amd64 or arm64; sandbox = "auto" serves with less.`}
		}
		if err != nil {
			b.log.Debug("a layer of the sandbox is missing", "reason", err)
		}
	}
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

// reach collects what the process can still reach in the file system.
type reach struct{ confine.Reach }

func reachOf(s config.Settings) confine.Reach {
	var r reach
	r.Changed = append(r.Changed, s.State)
	for _, l := range s.AllLibraries() {
		if l.Bucket == "" {
			r.serve(s, l.Path)
		} else {
			r.connect(s, l)
		}
	}
	r.Made = append(r.Made, s.LibraryRoots...)
	switch folder := filepath.Dir(s.AuditLog); {
	case s.AuditLog == "":
	case s.AuditMaxSize.Bytes > 0:
		r.Rotated = append(r.Rotated, folder)
	default:
		r.Appended = append(r.Appended, folder)
	}
	r.readAudit(s.AuditLog)
	r.readAgain(s.File, s.TrustedUserCAKeys, s.RevokedKeys)
	if s.KeyFiles() == "" {
		r.readAgain(s.AuthorizedKeysFile)
	} else {
		r.readKeyFiles(s.KeyFiles())
	}
	for name, account := range s.Accounts {
		r.readAgain(keys.ExpandUser(account.AuthorizedKeysFile, name))
		if s.KeyFiles() != "" {
			r.readAgain(keys.ExpandUser(s.KeyFiles(), name))
		}
	}
	return r.Reach
}

// serve adds a library; of those that are made for accounts, the folder that they
// are made in. A disk that is mounted later takes the place of what is there now:
// so of a folder that is not there, or has not become a library, it is the folder
// above, if that holds nothing that is trusted.
func (r *reach) serve(s config.Settings, path string) {
	folder := library.Prefix(path)
	switch {
	case library.PerAccount(path):
		r.Made = append(r.Made, folder)
	case exists(filepath.Join(folder, local.StageFolder)):
		r.Changed = append(r.Changed, folder)
		// Each server makes a folder in it, and removes those of dead ones.
		r.Made = append(r.Made, filepath.Join(folder, local.StageFolder))
	case !holdsTrusted(s, filepath.Dir(folder)):
		r.Made = append(r.Made, filepath.Dir(folder))
	}
}

// connect adds what it takes to reach the store of a library.
func (r *reach) connect(s config.Settings, l config.Library) {
	r.Changed = append(r.Changed, s.SpoolFolder())
	r.Ports = append(r.Ports, library.Ports(l)...)
	r.readAgain(library.ConnectionFiles(l)...)
}

// readAudit adds the files of the audit log, which receipts are made of. Those that
// rotation makes later can be read only if the log has a folder of its own: in another
// there are files of others.
func (r *reach) readAudit(path string) {
	if path == "" {
		return
	}
	r.Files = append(r.Files, audit.Files(path)...)
	if audit.HasOwnFolder(path) {
		r.Read = append(r.Read, filepath.Dir(path))
	}
}

// holdsTrusted tells whether something that decides who enters, or records what
// happened, lies in a folder.
func holdsTrusted(s config.Settings, folder string) bool {
	folder = resolve(folder)
	paths := []string{s.KeyFiles()}
	for _, one := range trustedPaths(s) {
		paths = append(paths, one.path)
	}
	for name, a := range s.Accounts {
		paths = append(paths, keys.ExpandUser(a.AuthorizedKeysFile, name))
	}
	return folder == "/" || slices.ContainsFunc(paths, func(path string) bool { return path != "" && library.Within(folder, resolve(path)) })
}

// readAgain adds files that are read again while the server runs. An editor puts
// a new file in the place of the old one, and Landlock then sees another file: so
// the folder is what is allowed. But not a folder that has private keys, as ~/.ssh
// has: there, it is the file that is there now.
func (r *reach) readAgain(files ...string) {
	for _, file := range files {
		if file == "" {
			continue
		}
		r.Files = append(r.Files, file)
		if folder := filepath.Dir(file); !keys.HoldsPrivateKeys(folder) {
			r.Read = append(r.Read, folder)
		}
	}
}

// readKeyFiles adds the files that make accounts. Names in their folder are read
// to find the accounts. If each account has a folder of its own there, as below
// /home, nothing but the key files is read.
func (r *reach) readKeyFiles(path string) {
	folder := keys.KeyFilesFolder(path)
	r.Listed = append(r.Listed, folder)
	if filepath.Dir(path) == folder && !keys.HoldsPrivateKeys(folder) {
		r.Read = append(r.Read, folder)
		return
	}
	r.Files = slices.AppendSeq(r.Files, maps.Values(keys.KeyFilesNow(path)))
}
