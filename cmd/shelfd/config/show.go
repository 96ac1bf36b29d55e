package config

import (
	"maps"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// hidden stands for what is not shown.
const hidden = "(hidden)"

// Show writes the settings as a configuration file, without secrets.
func (s Settings) Show() ([]byte, error) {
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
	s.Deliver = slices.Clone(s.Deliver)
	for i := range s.Deliver {
		s.Deliver[i].URL = HideURL(s.Deliver[i].URL)
	}
	return toml.Marshal(s)
}
