package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// oneOf takes text that is one of some words.
func oneOf(text []byte, words ...string) (string, error) {
	if !slices.Contains(words, string(text)) {
		last := len(words) - 1
		return "", fmt.Errorf("%q is not %s or %s", text, strings.Join(words[:last], ", "), words[last])
	}
	return string(text), nil
}

// LogFormat is how lines of the log are written: as text, or as JSON.
type LogFormat struct{ JSON bool }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *LogFormat) UnmarshalText(text []byte) error {
	word, err := oneOf(text, "text", "json")
	f.JSON = word == "json"
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (f LogFormat) MarshalText() ([]byte, error) {
	if f.JSON {
		return []byte("json"), nil
	}
	return []byte("text"), nil
}

// LogLevel is the lowest level that is written.
type LogLevel struct{ slog.Level }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *LogLevel) UnmarshalText(text []byte) error {
	if l.Level.UnmarshalText(text) != nil {
		return fmt.Errorf("%q is not debug, info, warn or error", text)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (l LogLevel) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.String())), nil }

// Durability says when an upload is acknowledged: "fsync" or "none".
type Durability struct{ Word string }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Durability) UnmarshalText(text []byte) (err error) {
	d.Word, err = oneOf(text, "fsync", "none")
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (d Durability) MarshalText() ([]byte, error) { return []byte(d.Word), nil }

// Sandbox says whether the process gives up what serving does not need.
type Sandbox struct{ Word string }

// The words of [Sandbox].
const (
	SandboxAuto    = "auto"    // as far as the system can
	SandboxRequire = "require" // or do not serve
	SandboxOff     = "off"
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sandbox) UnmarshalText(text []byte) (err error) {
	s.Word, err = oneOf(text, SandboxAuto, SandboxRequire, SandboxOff)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (s Sandbox) MarshalText() ([]byte, error) { return []byte(s.Word), nil }

// Permission is one thing that an account may do, or the name of several.
type Permission struct{ Word string }

// PermissionWords are the words of [Permission]. The first four stand for
// several of the others.
func PermissionWords() []string {
	return []string{"reader", "dropbox", "editor", "admin", "list", "read", "write", "overwrite", "rename", "delete", "restore"}
}

// Permitted are libraries, by name, with what an account may do in each.
type Permitted map[string][]Permission

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Permission) UnmarshalText(text []byte) (err error) {
	if p.Word, err = oneOf(text, PermissionWords()...); err != nil {
		return fmt.Errorf("there is no permission %q; there are %s", text, strings.Join(PermissionWords(), ", "))
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p Permission) MarshalText() ([]byte, error) { return []byte(p.Word), nil }
