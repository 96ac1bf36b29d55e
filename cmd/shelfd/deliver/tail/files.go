package tail

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"

	"shelf/cmd/shelfd/audit"
)

// file is a file of a log.
type file struct {
	path  string
	first audit.Line
}

// filesOf are the files of a log that have a line, the oldest first. The one that has
// the path is the youngest. Of two that begin with the same line, one of which is
// being packed or copied, one counts.
func filesOf(path string) (all []file) {
	for _, name := range audit.Files(path) {
		first, ok := firstLine(name)
		if !ok {
			continue
		}
		f := file{name, first}
		i := slices.IndexFunc(all, func(other file) bool { return other.first.ID == first.ID })
		switch {
		case i < 0:
			all = append(all, f)
		case all[i].path != path && packed(all[i].path) && !packed(name):
			all[i] = f
		}
	}
	slices.SortStableFunc(all, func(a, b file) int {
		if (a.path == path) != (b.path == path) {
			if a.path == path {
				return 1
			}
			return -1
		}
		return cmp.Or(a.first.Time.Compare(b.first.Time.Time), cmp.Compare(a.first.Seq, b.first.Seq))
	})
	return all
}

// retried lists files until all is well, or will not become so: one that is renamed
// meanwhile may be seen under neither name, and then lines seem to be missing.
func retried(list func() bool) {
	for range 20 {
		if list() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func packed(path string) bool { return strings.HasSuffix(path, ".gz") }

// firstLine is the first line of a file that is one of an audit log.
func firstLine(path string) (audit.Line, bool) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Line{}, false
	}
	l, err := linesOf(f)
	if err != nil {
		return audit.Line{}, false
	}
	defer l.close()
	line, err := l.next()
	return line.Line, err == nil
}
