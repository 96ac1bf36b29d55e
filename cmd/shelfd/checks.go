package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"shelf/keys"
)

// problem is why the server does not start: what could not be done, why, and
// what to do about it.
type problem struct {
	where  string // of the configuration file, with a colon and a space; or ""
	what   string
	err    error
	remedy string
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s%s: %v\n  %s", p.where, p.what, p.err, p.remedy)
}

func (p *problem) Unwrap() error { return p.err }

// checkUser refuses a name that could not be typed after "sftp".
func checkUser(s settings) error {
	if s.manyAccounts() {
		return nil
	}
	if err := keys.CheckName(s.User); err != nil {
		return &problem{s.places.where("user"), "The account has no usable name", err, "Name it with " + s.places.by("user") + "."}
	}
	return nil
}

// checkApart refuses a library that holds what decides who may enter it:
// clients could read the host key, or write themselves a key to log in with. A
// library in another would show the one's files to those of the other.
func checkApart(s settings) error {
	for name, l := range s.libraries() {
		for _, other := range s.trusted() {
			if other.path != "" && within(l.Path, other.path) {
				return &problem{s.places.where(other.setting), "The library is not safe to serve",
					fmt.Errorf("the %s %s lies in the library %s, where clients can reach it", other.what, other.path, l.Path),
					fmt.Sprintf("Move it out of the library and name it with %s.", s.places.by(other.setting))}
			}
		}
		for other, o := range s.libraries() {
			if name != other && within(l.Path, o.Path) {
				return &problem{s.places.where(s.pathSetting(other)), "The libraries are not apart", fmt.Errorf("%s lies in %s", o.Path, l.Path),
					"Give each library a directory of its own, none within another."}
			}
		}
	}
	return nil
}

type trustedPath struct{ what, path, setting string }

// trusted are the files that decide who may enter, and what is recorded of it.
func (s settings) trusted() []trustedPath {
	all := []trustedPath{
		{"state directory", s.State, "state"},
		{"file of authorized keys", s.AuthorizedKeysFile, "authorized_keys_file"},
		{"list of authorities", s.TrustedUserCAKeys, "trusted_user_ca_keys"},
		{"list of revoked keys", s.RevokedKeys, "revoked_keys"},
		{"audit log", s.AuditLog, "audit_log"},
	}
	for name, a := range s.Accounts {
		all = append(all, trustedPath{"file of authorized keys", a.AuthorizedKeysFile, "accounts." + name + ".authorized_keys_file"})
	}
	return all
}

// within tells whether path is folder or lies in it, links resolved.
func within(folder, path string) bool {
	rel, err := filepath.Rel(resolve(folder), resolve(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// resolve resolves the links of a path as far as it exists.
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

// checkKeys refuses a file of keys that no key could log in with.
func (s settings) checkKeys(account string, file *keys.AuthorizedKeys) error {
	err := file.Check()
	if err == nil {
		return nil
	}
	setting, what := s.keysSetting(account), "Nobody could log in"
	if s.manyAccounts() {
		what = fmt.Sprintf("Account %q: nobody could log in by key", account)
	}
	by := s.places.by(setting)
	remedy := fmt.Sprintf("Mend it, or name another file with %s.", by)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, keys.ErrNoKey) {
		remedy = fmt.Sprintf("Put a public key into it, one a line: cat ~/.ssh/id_ed25519.pub >> %s\n"+
			"  (ssh-keygen -t ed25519 makes a key), or name another file with %s.", file.Path(), by)
	}
	return &problem{s.places.where(setting), what, err, remedy}
}

func (s settings) openHostKeys() (keys.HostKeys, error) {
	k, err := keys.OpenHostKeys(s.State)
	return k, s.noHostKey(err)
}

func (s settings) checkHostKeys() error { return s.noHostKey(keys.CheckHostKeys(s.State)) }

func (s settings) noHostKey(err error) error {
	if err == nil {
		return nil
	}
	return &problem{s.places.where("state"), "There is no host key to serve with", err, fmt.Sprintf(
		"Mend it, or name another directory with %s; there a new key is made, of which clients will warn.", s.places.by("state"))}
}

// openUsedCodes reads which one-time codes were used before.
func (s settings) openUsedCodes(log *slog.Logger) (*keys.UsedCodes, error) {
	used, err := keys.OpenUsedCodes(s.State, log)
	if err != nil {
		return nil, &problem{s.places.where("state"), "One-time codes could be used twice", err,
			"Mend the file, or remove it a minute after the last login."}
	}
	return used, nil
}

func (s settings) openListener() (net.Listener, error) {
	// Go sets TCP_NODELAY and TCP keepalives on what is accepted.
	l, err := net.Listen("tcp", s.Listen)
	if err == nil {
		return l, nil
	}
	by := s.places.by("listen")
	remedy := "Name an address of this machine and a port with " + by + ", as :2222 or 127.0.0.1:2222."
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "Another program has that port. Stop it, or name another port with " + by + "."
	case errors.Is(err, syscall.EACCES):
		remedy = "Ports below 1024 take privileges. Name a higher one with " + by + "."
	}
	return nil, &problem{s.places.where("listen"), "Cannot listen on " + s.Listen, err, remedy}
}
