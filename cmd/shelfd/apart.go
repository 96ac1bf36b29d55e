package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/keys/protected"
)

// apart is the part that keeps libraries away from each other, and protects the
// files that decide who may enter or record what happened. They must not lie in a
// library: clients could read the host key, or write a key of their own into a
// file of authorized keys. And no other user may write or replace them. Files of
// keys of one account are held to the first by the part accounts, and lists of keys
// to the second by package keys, whenever they are read.
type apart struct{}

func (apart) open(s config.Settings) error { return apart{}.check(s) }

func (apart) reload(_, next config.Settings) (func() error, error) { return nil, apart{}.check(next) }

func (apart) close() {}

func (apart) check(s config.Settings) error {
	p := newPlaces(s)
	for _, one := range trustedPaths(s) {
		if err := p.apart(s, one); err != nil {
			return err
		}
	}
	for name, path := range p.libraries {
		for other, inner := range p.libraries {
			if name != other && library.Within(path, inner) {
				return &problem{s.Where(s.PathSetting(other)), "One library is in another", fmt.Errorf("%s lies in %s", inner, path),
					"Give each library a directory or prefix of its own, none within another."}
			}
		}
	}
	return checkProtected(s)
}

// checkProtected refuses a configuration or an audit log that others can change.
func checkProtected(s config.Settings) error {
	for _, file := range []trustedPath{
		{what: "configuration", path: s.File},
		{what: "audit log", path: s.AuditLog, setting: "audit_log"},
	} {
		if file.path == "" {
			continue
		}
		// A folder that is not there is a matter of the audit log's own part.
		if err := protected.Check(file.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &problem{s.Where(file.setting), "The " + file.what + " is not protected", err,
				"It must belong to the user of the server or to root, and no other user may write or replace it."}
		}
	}
	return nil
}

type trustedPath struct {
	what, path, setting string
	folder              bool // all that lies in it is trusted
}

// trustedPaths are the files that decide who may enter, and those that record
// what happened, but for files of keys of one account. Of a link, both the link
// and what it leads to are trusted.
func trustedPaths(s config.Settings) []trustedPath {
	all := []trustedPath{
		{"configuration", s.File, "", false},
		{"state directory", s.State, "state", true},
		{"list of authorities", s.TrustedUserCAKeys, "trusted_user_ca_keys", false},
		{"list of revoked keys", s.RevokedKeys, "revoked_keys", false},
		{"audit log", s.AuditLog, "audit_log", false},
		{"spool", s.Spool, "spool", true},
	}
	for name, l := range s.Libraries {
		all = append(all, trustedPath{"file of credentials", l.CredentialsFile, "libraries." + name + ".credentials_file", false})
	}
	if s.KeyFiles() == "" {
		all = append(all, keyFile(s.AuthorizedKeysFile, "authorized_keys_file"))
	}
	return all
}

func keyFile(path, setting string) trustedPath {
	return trustedPath{"file of authorized keys", path, setting, false}
}

// places are where libraries lie, with links resolved.
type places struct {
	libraries map[string]string // by name; may have %u
	roots     []string          // library_roots
	parents   map[string]string // resolved folders
}

func newPlaces(s config.Settings) *places {
	p := &places{libraries: make(map[string]string), parents: make(map[string]string)}
	for name, l := range s.AllLibraries() {
		if l.Bucket != "" {
			p.libraries[name] = l.Bucket // no path is in it
			continue
		}
		prefix := library.Prefix(l.Path)
		if below, err := filepath.Rel(prefix, l.Path); err == nil && library.PerAccount(l.Path) {
			p.libraries[name] = filepath.Join(resolve(prefix), below)
		} else {
			p.libraries[name] = resolve(prefix)
		}
	}
	for _, root := range s.LibraryRoots {
		p.roots = append(p.roots, resolve(root))
	}
	return p
}

// apart refuses a library that holds the path, or lies in it.
func (p *places) apart(s config.Settings, one trustedPath) error {
	if one.path == "" {
		return nil
	}
	unsafe := func(setting, what string, err error, remedy string) error {
		return &problem{s.Where(setting), what, err, remedy}
	}
	link := filepath.Join(p.parent(filepath.Dir(one.path)), filepath.Base(one.path))
	for _, path := range []string{link, resolveAt(link)} {
		for _, at := range p.libraries {
			switch {
			case library.Within(at, path):
				remedy := "Move it out of the library."
				if one.setting != "" {
					remedy = fmt.Sprintf("Move it out of the library and name it with %s.", s.By(one.setting))
				}
				return unsafe(one.setting, "The library is not safe to serve",
					fmt.Errorf("the %s %s lies in the library %s, where clients can reach it", one.what, one.path, at), remedy)
			case one.folder && library.Within(path, at):
				return unsafe(one.setting, "The library is not safe to serve",
					fmt.Errorf("the library %s lies in the %s %s, which is for other files", at, one.what, one.path),
					"Give the library a directory elsewhere.")
			}
		}
		for _, root := range p.roots {
			if library.Within(root, path) {
				return unsafe("library_roots", "A folder for libraries is not safe to use",
					fmt.Errorf("the %s %s lies in %s, where a library could be made", one.what, one.path, root),
					"Move it elsewhere, or name a folder in library_roots that holds libraries alone.")
			}
		}
	}
	return nil
}

// parent resolves the links of a folder once.
func (p *places) parent(folder string) string {
	real, known := p.parents[folder]
	if !known {
		real = resolve(folder)
		p.parents[folder] = real
	}
	return real
}

// resolve resolves the links of a path as far as the path exists.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

// resolveAt is resolve of a path whose folder is resolved already. There may be
// ten thousand of them.
func resolveAt(path string) string {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return path
	}
	return resolve(path)
}
