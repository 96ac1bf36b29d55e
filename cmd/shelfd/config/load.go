package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// Load makes the settings of the defaults, the configuration file, if --config
// names one, and the flags that were given. Each wins over the one before. With an
// error no setting counts but LogFormat, as far as it can be told: the error may go
// to the log.
func Load(given *pflag.FlagSet) (Settings, error) {
	s, err := combine(given)
	if flag := given.Lookup("log-format"); err != nil && flag != nil && flag.Changed {
		s.LogFormat.UnmarshalText([]byte(flag.Value.String()))
	}
	return s, err
}

// combine does it.
func combine(given *pflag.FlagSet) (Settings, error) {
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

// jsonLog finds the format of the log in a file that has a mistake.
var jsonLog = regexp.MustCompile(`(?m)^\s*log_format\s*=\s*["']json["']`)

// load reads a configuration file over the settings.
func (s *Settings) load(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var in Settings
	if err := in.parse(path, content, s); err != nil {
		s.LogFormat.JSON = jsonLog.Match(content)
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
