package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A single file gets another name on its way, and where two would get one name only
// the first does.
func TestAs(t *testing.T) {
	files := map[string]string{"f": "there", "g": "other"}
	s := newServer(t, files)
	dir := t.TempDir()
	t.Chdir(dir)
	save(t, "local", "here")
	status, out, errs := s.run(t, "put local as remote\nget f as new\nget g to "+dir+" as newer\nget g as "+dir+"/newest\n", s.addr)
	want(t, status, 0, errs)
	want(t, 0, 0, out, "put local as remote: 4 B", "got f as new: 5 B")
	if files["remote"] != "here" || files["local"] != "" {
		t.Errorf("there is %v", files)
	}
	for name, text := range map[string]string{"new": "there", "newer": "other", "newest": "other"} {
		if got, _ := os.ReadFile(name); string(got) != text {
			t.Errorf("%s: %q", name, got)
		}
	}
	for line, says := range map[string]string{
		"get f g as x":                 "2 files match f",
		"get * as x":                   "are for one file",
		"put local new as x":           "2 files can't all be put as x",
		"get g as local":               "g: it is here already",
		"get f g -":                    "-: file does not exist",
		"put -":                        "- is stdin, which needs a name",
		"put - as x":                   "would read the next commands",
		"get f - to x":                 "to stdout or to a file?",
		"get --json f -":               "with --json stdout has the events",
		"get * -":                      "are for one file",
		"put local " + dir + "/new as": "as: no such file",
	} {
		_, out, errs := s.run(t, line, s.addr)
		want(t, 0, 0, out+errs, says)
	}
}

// stdin goes to the server whole, and stdout gets nothing but the file.
func TestPipes(t *testing.T) {
	for _, version := range []string{"SSH-2.0-Shelf", "SSH-2.0-Other"} {
		files := map[string]string{"f": text}
		s := newServerOf(t, version, files)
		status, out, errs := s.run(t, "", s.addr, "get", "--checksum", "f", "-")
		if want(t, status, 0, errs); out != text || errs != "" {
			t.Errorf("%s: %d bytes are written, and said is %q", version, len(out), errs)
		}
		status, _, errs = s.run(t, strings.Repeat("y", 300_000), s.addr, "put", "--checksum", "-", "as", "piped")
		if version == "SSH-2.0-Other" { // this one renames nothing, and nothing is left there
			want(t, status, exitSome, errs, "piped: ")
			continue
		}
		want(t, status, 0, errs)
		if files["piped"] != strings.Repeat("y", 300_000) {
			t.Errorf("%s: there are %d bytes", version, len(files["piped"]))
		}
	}
}

// A download to a pipe that is cut goes on where it was, but not with another
// version of the file.
func TestGetToPipeGoesOn(t *testing.T) {
	const size = 8 << 20 // more than is asked for ahead
	text := strings.Repeat("x", size)
	for _, changed := range []bool{false, true} {
		files := map[string]string{"f": text}
		s := newServer(t, files)
		l := s.handlers.FileGet.(*library)
		once := sync.OnceFunc(func() {
			if changed {
				l.mu.Lock()
				files["f"] = text + "more"
				l.mu.Unlock()
			}
			s.last.Load().Close()
		})
		s.handlers.FileGet = cuttingReads{l, size / 2, once}
		status, out, errs := s.run(t, "", s.addr, "get", "f", "-")
		if changed {
			want(t, status, exitSome, errs, "connecting again in 1s (1 of 3)", "f: it changed on the server after")
		} else if want(t, status, 0, errs, "connecting again in 1s (1 of 3)", "Connected again."); out != text {
			t.Errorf("%d bytes are written", len(out))
		}
	}
}

// What a drop box has taken is not said to be lost, though it can't be compared.
func TestPutUncompared(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	s.handlers.FileGet = unreadable{}
	file := filepath.Join(t.TempDir(), "f")
	save(t, file, "x")
	status, _, errs := s.run(t, "", s.addr, "put", "--checksum", file)
	want(t, status, exitSome, errs, "f: it is uploaded, but its SHA-256 cannot be compared: permission denied",
		"put: the file was sent, but it is not known to be the same there")
	if files["f"] != "x" || strings.Contains(errs, "not transferred") {
		t.Errorf("there is %v, and said is %s", files, errs)
	}
}
