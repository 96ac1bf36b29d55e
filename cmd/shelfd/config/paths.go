package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// eachPath changes every path that is set.
func (s *Settings) eachPath(change func(string) (string, error)) (err error) {
	apply := func(path *string) {
		if *path != "" && err == nil {
			*path, err = change(*path)
		}
	}
	for _, path := range []*string{&s.Library, &s.State, &s.AuthorizedKeysFile, &s.TrustedUserCAKeys, &s.RevokedKeys, &s.AuditLog, &s.AdminSocket, &s.Spool} {
		apply(path)
	}
	for i := range s.LibraryRoots {
		apply(&s.LibraryRoots[i])
	}
	for name, l := range s.Libraries {
		apply(&l.Path)
		apply(&l.EndpointCA)
		apply(&l.CredentialsFile)
		apply(&l.Gate.Clamd.Path)
		l.Gate.Socket.Paths = slices.Clone(l.Gate.Socket.Paths)
		for i := range l.Gate.Socket.Paths {
			apply(&l.Gate.Socket.Paths[i].Path)
		}
		s.Libraries[name] = l
	}
	for i := range s.Deliver {
		d := &s.Deliver[i]
		for _, path := range []*string{&d.SecretFile, &d.KeyFile, &d.CA, &d.ClientCertificate, &d.ClientKey} {
			apply(path)
		}
	}
	for name, a := range s.Accounts {
		apply(&a.AuthorizedKeysFile)
		s.Accounts[name] = a
	}
	return err
}

// rebase makes a path relative to the folder of the configuration file, so that it
// means the same wherever the server is started. "~/" is the home of who starts it.
func rebase(path, folder string) (string, error) {
	if below, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, below), err
	}
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(folder, path), nil
}
