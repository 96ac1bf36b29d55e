package transfer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"shelf/cmd/shelf/sftp"
)

// leftOut is the names in a folder that sync and watch do not move.
type leftOut struct {
	folders []string
	hidden  []string // their names start with a dot
	special []string // links, devices and the like
}

// takes tells whether a file is moved. If it is not, its name is noted, but not that
// of a file of our own that is not whole.
func (l *leftOut) takes(name string, folder, regular bool) bool {
	switch {
	case strings.HasPrefix(name, sftp.HiddenPrefix):
	case strings.HasPrefix(name, "."):
		l.hidden = append(l.hidden, name)
	case folder:
		l.folders = append(l.folders, name)
	case !regular:
		l.special = append(l.special, name)
	default:
		return true
	}
	return false
}

// leftOutEvent is what scripts are told about a name that is left out.
type leftOutEvent struct {
	Event string `json:"event"` // left out
	Name  string `json:"name"`
	Why   string `json:"why"` // folder, hidden or special
}

// tell tells what is left out of a folder. With --top-only nobody expects folders.
func (m *Mover) tell(dir string, l leftOut) {
	rows := []struct {
		names    []string
		why, are string
	}{
		{l.folders, "folder", "folders"},
		{l.hidden, "hidden", "hidden (their names start with a dot)"},
		{l.special, "special", "links or not files"},
	}
	if m.TopOnly {
		rows = rows[1:]
	}
	for _, row := range rows {
		if len(row.names) > 0 && !m.Quiet {
			m.UI.Warnf("Left out of %s, because they are %s: %s", dir, row.are, someOf(row.names))
		}
		for _, name := range row.names {
			m.UI.Event(leftOutEvent{"left out", name, row.why})
		}
	}
}

// complete fails if folders were left out, unless that is meant.
func (m *Mover) complete(l leftOut) error {
	switch n := len(l.folders); {
	case n == 0 || m.TopOnly:
		return nil
	case n == 1:
		return errors.New("1 folder was left out; with --top-only that is no error")
	default:
		return fmt.Errorf("%d folders were left out; with --top-only that is no error", n)
	}
}

// someOf names a few, and tells how many more there are.
func someOf(names []string) string {
	const few = 10
	text := strings.Join(slices.Sorted(slices.Values(names))[:min(few, len(names))], ", ")
	if more := len(names) - few; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}
