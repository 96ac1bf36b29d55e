package vfs

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name, in bytes: POSIX's NAME_MAX on every file system
// a library is likely to be on.
const MaxName = 255

// CheckName tells whether a file may have this name: 1 to [MaxName] bytes of
// UTF-8 without "/" or a control character (C0, DEL, C1) and not starting with
// a dot. The error is an *Error of [ErrName] that says what is wrong.
//
// Control characters are refused because a name is printed: in a listing, a
// log, a terminal. A leading dot is refused because hidden files, "." and ".."
// are not part of a library; its own folder for stages is one of them.
func CheckName(name string) error {
	if why := nameFault(name); why != "" {
		return &Error{Kind: ErrName, Why: "the name " + why}
	}
	return nil
}

// nameFault says what is wrong with a name, or "".
func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxName:
		return "is longer than 255 bytes"
	case name[0] == '.':
		return "starts with a dot; hidden files are not part of the library"
	case strings.Contains(name, "/"):
		return "has a slash; the library has no folders"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character"
	}
	return ""
}

// Printable is a name quoted, with everything that a terminal or a log might
// act on escaped.
func Printable(name string) string {
	const most = 2 * MaxName
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "..."
	}
	return fmt.Sprintf("%q", name)
}
