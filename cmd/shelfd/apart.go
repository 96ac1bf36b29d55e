package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"shelf/cmd/shelfd/config"
)

// apart is the part that keeps libraries away from each other, and from the
// files that decide who may enter: clients could read the host key, or write a
// key of their own into a file of authorized keys.
type apart struct{}

func (apart) open(s config.Settings) error { return apart{}.check(s) }

func (apart) reload(_, next config.Settings) (func() error, error) { return nil, apart{}.check(next) }

func (apart) close() {}

func (apart) check(s config.Settings) error {
	for name, l := range s.AllLibraries() {
		for _, other := range trustedPaths(s) {
			if other.path != "" && within(l.Path, other.path) {
				return &problem{s.Where(other.setting), "The library is not safe to serve",
					fmt.Errorf("the %s %s lies in the library %s, where clients can reach it", other.what, other.path, l.Path),
					fmt.Sprintf("Move it out of the library and name it with %s.", s.By(other.setting))}
			}
		}
		for other, o := range s.AllLibraries() {
			if name != other && within(l.Path, o.Path) {
				return &problem{s.Where(s.PathSetting(other)), "One library is in another", fmt.Errorf("%s lies in %s", o.Path, l.Path),
					"Give each library a directory of its own, none within another."}
			}
		}
	}
	return nil
}

type trustedPath struct{ what, path, setting string }

// trustedPaths are the files that decide who may enter, and those that record
// what happened.
func trustedPaths(s config.Settings) []trustedPath {
	all := []trustedPath{
		{"state directory", s.State, "state"},
		{"file of authorized keys", s.AuthorizedKeysFile, "authorized_keys_file"},
		{"list of authorities", s.TrustedUserCAKeys, "trusted_user_ca_keys"},
		{"list of revoked keys", s.RevokedKeys, "revoked_keys"},
		{"audit log", s.AuditLog, "audit_log"},
	}
	for name, a := range s.Accounts {
		all = append(all, trustedPath{"file of authorized keys", a.AuthorizedKeysFile, s.KeysSetting(name)})
	}
	return all
}

// within tells whether path is folder or lies in it, with links resolved.
func within(folder, path string) bool {
	rel, err := filepath.Rel(resolve(folder), resolve(path))
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
