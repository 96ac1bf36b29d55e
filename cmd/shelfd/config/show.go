package config

import (
	"maps"

	"github.com/pelletier/go-toml/v2"
)

// Show writes the settings as a configuration file, without secrets.
func (s Settings) Show() ([]byte, error) {
	const hidden = "(hidden)"
	s.Accounts = maps.Clone(s.Accounts)
	for name, a := range s.Accounts {
		if a.PasswordHash != "" {
			a.PasswordHash = hidden
		}
		if a.TOTPSecret != "" {
			a.TOTPSecret = hidden
		}
		s.Accounts[name] = a
	}
	return toml.Marshal(s)
}
