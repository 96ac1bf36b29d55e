package config

import (
	"fmt"
	"io/fs"
	"strconv"
)

// parseMode reads nine bits of permission, as "0640". Bits beyond these, as of
// setuid, are none. must are those that have to be there.
func parseMode(text []byte, must fs.FileMode) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(string(text), 8, 9)
	switch {
	case err != nil || len(text) < 3:
		return 0, fmt.Errorf("%q is not a mode such as 0640", text)
	case fs.FileMode(bits)&must != must:
		return 0, fmt.Errorf("mode %s is not enough: the user of the server needs %04o", text, must)
	}
	return fs.FileMode(bits), nil
}

// FileMode is the mode of files, written "0640"; 0 is what the client asks for,
// written "client".
type FileMode struct{ fs.FileMode }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *FileMode) UnmarshalText(text []byte) (err error) {
	if string(text) == "client" {
		m.FileMode = 0
		return nil
	}
	m.FileMode, err = parseMode(text, 0o600)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (m FileMode) MarshalText() ([]byte, error) {
	if m.FileMode == 0 {
		return []byte("client"), nil
	}
	return fmt.Appendf(nil, "%04o", m.Perm()), nil
}

// FolderMode is the mode of directories, written "0750".
type FolderMode struct{ fs.FileMode }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *FolderMode) UnmarshalText(text []byte) (err error) {
	m.FileMode, err = parseMode(text, 0o700)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (m FolderMode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", m.Perm()), nil }
