package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"shelf/keys"
	"shelf/vfs"
)

// problem is why the server does not start: what could not be done, why, and
// what to do about it.
type problem struct {
	what   string
	err    error
	remedy string
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s: %v\n  %s", p.what, p.err, p.remedy)
}

func (p *problem) Unwrap() error { return p.err }

// checkUser refuses a name that could not be typed after "sftp".
func checkUser(s settings) error {
	if s.manyAccounts() {
		return nil
	}
	if err := keys.CheckName(s.User); err != nil {
		return &problem{"The account has no usable name", err, "Name it with --user NAME."}
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
				return &problem{"The library is not safe to serve",
					fmt.Errorf("the %s %s lies in the library %s, where clients can reach it", other.what, other.path, l.Path),
					fmt.Sprintf("Move it out of the library and name it with %s.", other.setting)}
			}
		}
		for other, o := range s.libraries() {
			if name != other && within(l.Path, o.Path) {
				return &problem{"The libraries are not apart", fmt.Errorf("%s lies in %s", o.Path, l.Path),
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
		{"state directory", s.State, "--state"},
		{"file of authorized keys", s.AuthorizedKeysFile, "--authorized-keys"},
		{"list of authorities", s.TrustedUserCAKeys, "trusted_user_ca_keys"},
		{"list of revoked keys", s.RevokedKeys, "revoked_keys"},
		{"audit log", s.AuditLog, "audit_log"},
	}
	for name, a := range s.Accounts {
		all = append(all, trustedPath{"file of authorized keys", a.AuthorizedKeysFile, "authorized_keys_file of account " + name})
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

func checkKeys(file *keys.AuthorizedKeys) error {
	err := file.Check()
	if err == nil {
		return nil
	}
	remedy := "Mend it, or name another file with --authorized-keys."
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, keys.ErrNoKey) {
		remedy = fmt.Sprintf("Put a public key into it, one a line: cat ~/.ssh/id_ed25519.pub >> %s\n"+
			"  (ssh-keygen -t ed25519 makes a key), or name another file with --authorized-keys.", file.Path())
	}
	return &problem{"Nobody could log in", err, remedy}
}

func openLibrary(path string, o vfs.DirOptions) (*vfs.Dir, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &problem{"There is no library", err, "Make it with: mkdir -p " + path + "\n  or name another directory with --library."}
	case err == nil && !info.IsDir():
		return nil, &problem{"The library cannot be served", fmt.Errorf("%s is not a directory", path),
			"Name a directory with --library."}
	}
	dir, err := vfs.OpenDir(path, o)
	if err != nil {
		return nil, &problem{"The library cannot be served", err,
			path + " must be a directory that this user can read and write, and that no other server serves."}
	}
	return dir, nil
}

func openHostKeys(state string) (keys.HostKeys, error) {
	k, err := keys.OpenHostKeys(state)
	if err != nil {
		return k, &problem{"There is no host key to serve with", err,
			"Mend it, or name another directory with --state; there a new key is made, of which clients will warn."}
	}
	return k, nil
}

// checkOwner refuses to serve the files of others with the rights of root,
// unless that is wanted.
func (s settings) checkOwner(path string) error {
	var st unix.Stat_t
	if s.AllowRoot || os.Geteuid() != 0 || unix.Stat(path, &st) != nil || st.Uid == 0 {
		return nil
	}
	return &problem{"The library is not root's, but the server would be", fmt.Errorf("%s belongs to user %d", path, st.Uid),
		"Start the server as that user; or, if it must be root, set allow_root = true."}
}

func openListener(address string) (net.Listener, error) {
	// Go sets TCP_NODELAY and TCP keepalives on what is accepted.
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	remedy := "Name an address of this machine and a port with --listen, as :2222 or 127.0.0.1:2222."
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "Another program has that port. Stop it, or name another port with --listen."
	case errors.Is(err, syscall.EACCES):
		remedy = "Ports below 1024 take privileges. Name a higher one with --listen."
	}
	return nil, &problem{"Cannot listen on " + address, err, remedy}
}
