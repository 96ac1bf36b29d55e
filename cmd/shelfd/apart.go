package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// apart is the part that keeps libraries away from each other, and protects the
// files that decide who may enter or record what happened. They must not lie in a
// library: clients could read the host key, or write a key of their own into a
// file of authorized keys. And no other user may write or replace them. Lists of
// keys are held to the second by package keys, whenever they are read.
type apart struct{}

func (apart) open(s config.Settings) error { return apart{}.check(s) }

func (apart) reload(_, next config.Settings) (func() error, error) { return nil, apart{}.check(next) }

func (apart) close() {}

func (apart) check(s config.Settings) error {
	for name, l := range s.AllLibraries() {
		for _, other := range trustedPaths(s) {
			if err := other.apartFrom(s, l.Path); err != nil {
				return err
			}
		}
		for other, o := range s.AllLibraries() {
			if name != other && within(l.Path, o.Path) {
				return &problem{s.Where(s.PathSetting(other)), "One library is in another", fmt.Errorf("%s lies in %s", o.Path, l.Path),
					"Give each library a directory of its own, none within another."}
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
		if err := keys.CheckProtected(file.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
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

// apartFrom refuses a library that holds the path, or lies in it.
func (p trustedPath) apartFrom(s config.Settings, library string) error {
	remedy := "Move it out of the library."
	if p.setting != "" {
		remedy = fmt.Sprintf("Move it out of the library and name it with %s.", s.By(p.setting))
	}
	switch {
	case p.path == "":
		return nil
	case within(library, p.path) || inside(resolve(library), filepath.Join(resolve(filepath.Dir(p.path)), filepath.Base(p.path))):
		return &problem{s.Where(p.setting), "The library is not safe to serve",
			fmt.Errorf("the %s %s lies in the library %s, where clients can reach it", p.what, p.path, library), remedy}
	case p.folder && within(p.path, library):
		return &problem{s.Where(p.setting), "The library is not safe to serve",
			fmt.Errorf("the library %s lies in the %s %s, which is for other files", library, p.what, p.path),
			"Give the library a directory elsewhere."}
	}
	return nil
}

// trustedPaths are the files that decide who may enter, and those that record
// what happened. Of a link, both the link and what it leads to are trusted.
func trustedPaths(s config.Settings) []trustedPath {
	all := []trustedPath{
		{"configuration", s.File, "", false},
		{"state directory", s.State, "state", true},
		{"list of authorities", s.TrustedUserCAKeys, "trusted_user_ca_keys", false},
		{"list of revoked keys", s.RevokedKeys, "revoked_keys", false},
		{"audit log", s.AuditLog, "audit_log", false},
		{"file of authorized keys", s.AuthorizedKeysFile, "authorized_keys_file", false},
	}
	if s.KeyFiles() != "" {
		for _, file := range keys.KeyFilesNow(s.KeyFiles()) {
			all = append(all, trustedPath{"file of authorized keys", file, "authorized_keys_file", false})
		}
	}
	for name, a := range s.Accounts {
		all = append(all, trustedPath{"file of authorized keys", keys.ExpandUser(a.AuthorizedKeysFile, name), s.KeysSetting(name), false})
	}
	return all
}

// within tells whether path is folder or lies in it, with links resolved.
func within(folder, path string) bool {
	return inside(resolve(folder), resolve(path))
}

// inside is within for paths whose links are resolved as far as they are to be.
func inside(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
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
