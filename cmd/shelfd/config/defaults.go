package config

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Defaults are the settings when nothing is said. What depends on who starts
// the server is left empty; [Load] fills it in.
func Defaults() Settings {
	var file strings.Builder
	for _, setting := range All() {
		if setting.Default != "" && !strings.Contains(setting.Name, "NAME") && !strings.HasPrefix(setting.Name, deliverTable+".") {
			fmt.Fprintf(&file, "%s = %s\n", setting.Name, setting.Default)
		}
	}
	var s Settings
	if err := toml.Unmarshal([]byte(file.String()), &s); err != nil {
		panic(fmt.Sprintf("a default in config.Settings is wrong: %v", err))
	}
	return s
}

// complete fills in what depends on who starts the server.
func (s *Settings) complete() error {
	if err := s.checkTables(); err != nil {
		return err
	}
	if s.Library == "" && len(s.Libraries) == 0 {
		s.Library = "library"
	}
	if !s.ManyAccounts() {
		if err := s.completeAccount(); err != nil {
			return err
		}
	}
	if s.State == "" {
		var err error
		if s.State, err = stateFolder(); err != nil {
			return err
		}
	}
	if s.AdminSocket == "" {
		s.AdminSocket = filepath.Join(s.State, "admin.sock")
	}
	s.GivenKeys = s.AuthorizedKeysFile
	return s.eachPath(filepath.Abs)
}

// completeAccount fills in the account of a server that has only one.
func (s *Settings) completeAccount() error {
	if s.User == "" {
		me, err := user.Current()
		if err != nil {
			return fmt.Errorf("cannot tell who you are: %w; name the account with %s", err, s.By("user"))
		}
		s.User = me.Username
	}
	if s.AuthorizedKeysFile == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("no authorized keys: %w; name the file with --authorized-keys", err)
		}
		s.AuthorizedKeysFile = filepath.Join(home, ".ssh", "authorized_keys")
	}
	return nil
}

// stateFolder is where a program keeps its state by the XDG Base Directory
// Specification. By that, a relative path is ignored.
func stateFolder() (string, error) {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "shelf"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || home == "" {
		return "", errors.New("no place for the host key: neither XDG_STATE_HOME nor HOME is set; name a directory with --state")
	}
	return filepath.Join(home, ".local", "state", "shelf"), nil
}
