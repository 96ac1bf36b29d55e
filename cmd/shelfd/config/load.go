package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// Load makes the settings of the defaults, the configuration file, if --config
// names one, and the flags that were given. Each wins over the one before.
func Load(given *pflag.FlagSet) (Settings, error) {
	s := Defaults()
	file, err := given.GetString(configFlag)
	if err != nil {
		return s, err
	}
	if file != "" {
		if err := s.load(file); err != nil {
			return s, err
		}
	}
	over := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.bind(over)
	given.Visit(func(f *pflag.Flag) {
		if over.Lookup(f.Name) != nil {
			err = errors.Join(err, over.Set(f.Name, f.Value.String()))
			s.places.forget(f.Name)
		}
	})
	s.File = file
	s.again = func() (Settings, error) { return Load(given) }
	return s, errors.Join(err, s.complete())
}

// Again loads the settings again, from the same file and flags.
func (s Settings) Again() (Settings, error) {
	if s.again == nil {
		return s, nil
	}
	return s.again()
}

// load reads a configuration file over the settings.
func (s *Settings) load(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var in Settings
	if err := in.parse(path, content, s); err != nil {
		return err
	}
	err = in.eachPath(func(p string) (string, error) { return rebase(p, filepath.Dir(path)) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	in.places = make(places)
	in.places.add(path, content)
	*s = in
	return nil
}

// parse decodes the content of a file. What it does not set stays as in base.
func (s *Settings) parse(path string, content []byte, base *Settings) error {
	decode := func(content []byte) error {
		*s = *base
		return toml.NewDecoder(bytes.NewReader(content)).DisallowUnknownFields().Decode(s)
	}
	return mistakes{path, content, decode}.explain(decode(content))
}
