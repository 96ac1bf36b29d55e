package audit

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// stamp is what is added to the name of a file that has grown too large: when
// that was. Names sort by it.
const stamp = "20060102T150405.000Z"

var stamped = regexp.MustCompile(`^\.[0-9]{8}T[0-9]{6}\.[0-9]{3}Z$`)

// oldFiles are the files that were renamed because they had grown too large, the
// oldest first.
func oldFiles(path string) (old []string) {
	for _, name := range siblings(path) {
		if stamped.MatchString(strings.TrimPrefix(name, path)) {
			old = append(old, name)
		}
	}
	slices.Sort(old)
	return old
}

// rotateIfFull renames a file that has grown too large, begins a new one, and
// removes those that are more than are to stay. If that fails, the old one goes on
// to grow, and it is tried again a minute later. mu is held.
func (l *Log) rotateIfFull() {
	if l.rules.MaxSize == 0 || l.file.size < l.rules.MaxSize {
		return
	}
	now := time.Now()
	if now.Before(l.nextTry) {
		return
	}
	if err := l.rotate(now); err != nil {
		l.nextTry = now.Add(complaints)
		l.o.Log.Error("the audit log is too large, and a new file cannot be begun", "file", l.o.Path, "reason", err)
	}
}

func (l *Log) rotate(now time.Time) error {
	old := l.o.Path + "." + now.UTC().Format(stamp)
	if slices.Contains(l.old, old) {
		return nil // that was this millisecond; the next line will do
	}
	l.checkpoint()
	if err := os.Rename(l.o.Path, old); err != nil {
		return err
	}
	if err := l.open(); err != nil {
		os.Rename(old, l.o.Path)
		return err
	}
	l.old = append(l.old, old)
	l.count.Rotations++
	for l.rules.Keep > 0 && len(l.old) > l.rules.Keep {
		if err := os.Remove(l.old[0]); err != nil {
			l.o.Log.Warn("an old file of the audit log was not removed", "file", filepath.Base(l.old[0]), "reason", err)
		}
		l.old = l.old[1:]
	}
	return nil
}
