package access

import (
	"context"
	"path"
	"strings"

	"shelf/vfs"
)

// Many clients upload to a temporary name and then move that to the name that
// is meant: they send CLOSE, REMOVE of the old file, and RENAME. This server
// replaces in one step, and the clients need not know:
//
//   - A hidden name, which no file of a library may have, belongs to the session
//     that uploads to it. CLOSE holds the upload back, RENAME publishes it, and
//     the end of the session drops it.
//   - A visible name may also be that of a file. So CLOSE publishes it, unless
//     RENAME could replace a file with it, or the library is under a hold, so that what
//     is published keeps its name: then CLOSE holds it back, too. If the session
//     uploads something else, lists or ends, it is published after all.
//   - REMOVE of a file that is about to be replaced that way leaves it there for
//     RENAME to replace.
//
// To its own session a held upload is a file, like one before CLOSE: see
// pending.go.

// pattern is how the temporary names of a client look.
type pattern struct {
	client string
	name   string // for [path.Match]; where it starts with "*", that is the name that is meant
	use    use
}

// use is what a client does with a temporary name after CLOSE.
type use int

const (
	renames   use = iota // it renames it
	elsewhere            // it looks at it and renames it over any connection: CLOSE publishes it
	locks                // it only removes it
)

// patterns are all of them. The hidden ones, which start with a dot, can't be
// uploaded to otherwise.
var patterns = [...]pattern{
	{"GNOME: Files, gio, and GVFS's mount", ".giosave??????", renames},
	{"KDE: Dolphin, kioclient", "*.part", renames},
	{"WinSCP, for more than 100 KB", "*.filepart", renames},
	{"rclone from 1.63, which has a pool of connections", "*.????????.partial", elsewhere},
	{"Emacs, while a file is edited", ".#?*", locks},
}

// temporary is the use of a temporary name, and the name that is meant if it can
// be told. ok is false for all other names.
func temporary(name string) (u use, meant string, ok bool) {
	for _, p := range patterns {
		if !p.ends(name) {
			continue
		}
		if ok, _ := path.Match(p.name, name); !ok {
			continue
		}
		if suffix, ok := strings.CutPrefix(p.name, "*"); ok {
			return p.use, name[:len(name)-len(suffix)], true
		}
		return p.use, "", true
	}
	return 0, "", false
}

// IsTemporary tells whether a name is one that a client renames when it has closed it.
func IsTemporary(name string) bool {
	use, _, ok := temporary(name)
	return ok && use != locks
}

// ends tells whether a name starts and ends as the pattern does. That is soon told of
// nearly all names, which are looked at several times in each upload.
func (p pattern) ends(name string) bool {
	same := func(pattern, letter byte) bool { return pattern == letter || pattern == '*' || pattern == '?' }
	return name != "" && same(p.name[0], name[0]) && same(p.name[len(p.name)-1], name[len(name)-1])
}

// hidden tells whether a name is one that a library refuses and that a session may
// upload to all the same.
func (s *Session) hidden(name string) bool {
	if s.temporaries == nil || !strings.HasPrefix(name, ".") {
		return false
	}
	_, _, ok := temporary(name)
	return ok
}

// alias is the name that the library knows an upload to a hidden name by. It is
// never published under it.
func alias(name string) string { return "~" + name[1:] }

// maxHidden is how many hidden names a session may have at a time. Each takes an
// open file; Emacs needs one for each file that is edited.
const maxHidden = 32

// mayHide refuses one hidden name too many.
func (s *Session) mayHide(at place) error {
	if !s.hidden(at.name) {
		return nil
	}
	n := 0
	for other := range s.pending {
		if other != at && s.hidden(other.name) {
			n++
		}
	}
	if n < maxHidden {
		return nil
	}
	return &vfs.Error{Kind: vfs.ErrTooMany, Why: "too many temporary files; rename or remove some first"}
}

// createHidden begins an upload to a hidden name: from nothing, or over the one
// that has the name. It keeps nothing that could be resumed.
func createHidden(ctx context.Context, at place, o vfs.CreateOptions) (vfs.Upload, error) {
	if o.Base == nil && !o.Create {
		return nil, vfs.NotExist()
	}
	o.Create, o.Truncate, o.Exclusive, o.NoReplace, o.NoPartial = true, o.Base == nil, false, false, true
	return at.in.Create(ctx, alias(at.name), o)
}
