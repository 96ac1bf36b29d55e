package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLine is longer than any line, in bytes: what clients send is bounded where
// an event is made.
const maxLine = 64 << 10

// ending is how a file ends.
type ending struct {
	last []byte // the last whole line, without its newline; nil is none
	torn []byte // what follows it
}

// tail reads the end of a file.
func tail(path string) (end ending, err error) {
	f, err := os.Open(path)
	if err != nil {
		return end, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return end, err
	}
	b := make([]byte, min(info.Size(), maxLine))
	if _, err := f.ReadAt(b, info.Size()-int64(len(b))); err != nil && err != io.EOF {
		return end, err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	if whole == 0 && info.Size() > maxLine {
		return end, nil // this is no log of ours: nothing is cut off
	}
	end.torn = b[whole:]
	if whole > 0 {
		b = b[:whole-1]
		end.last = b[bytes.LastIndexByte(b, '\n')+1:]
	}
	return end, nil
}

// lastLine is the number and the hash of the last line of a log: of its file or, if
// that has none, of the youngest that was renamed to make room for it.
func lastLine(path string) (seq uint64, hash string) {
	for _, file := range append([]string{path}, siblings(path)...) {
		end, err := tail(file)
		if err != nil {
			continue
		}
		var line Line
		if json.Unmarshal(end.last, &line) == nil && line.Seq > 0 {
			return line.Seq, hashOf(end.last)
		}
	}
	return 0, ""
}

// Files are the file of a log and those that were renamed to make room for it.
func Files(path string) []string { return append([]string{path}, siblings(path)...) }

// HasOwnFolder tells whether the folder of a log has nothing but files of audit logs:
// those whose names begin as that of the log does, up to a dot or a dash.
func HasOwnFolder(path string) bool {
	all, err := os.ReadDir(filepath.Dir(path))
	name := filepath.Base(path)
	if i := strings.IndexAny(name, ".-"); i > 0 {
		name = name[:i]
	}
	return err == nil && !slices.ContainsFunc(all, func(e os.DirEntry) bool {
		return !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), name)
	})
}

// siblings are the files whose names begin like that of a log, the youngest first.
func siblings(path string) []string {
	all, _ := os.ReadDir(filepath.Dir(path))
	type aged struct {
		path string
		age  int64
	}
	var found []aged
	for _, e := range all {
		name := e.Name()
		if name == filepath.Base(path) || !e.Type().IsRegular() || len(name) < len(filepath.Base(path)) || name[:len(filepath.Base(path))] != filepath.Base(path) {
			continue
		}
		if info, err := e.Info(); err == nil {
			found = append(found, aged{filepath.Join(filepath.Dir(path), name), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(found, func(a, b aged) int { return cmp.Compare(b.age, a.age) })
	var paths []string
	for _, f := range found {
		paths = append(paths, f.path)
	}
	return paths
}
