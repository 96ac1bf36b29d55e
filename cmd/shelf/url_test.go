package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// rooted also tells of the folder that its files are in.
type rooted struct{ *library }

func (r rooted) Filelist(q *sftp.Request) (sftp.ListerAt, error) {
	if q.Method == "Stat" && q.Filepath == "/" {
		return folder{fileInfo{name: "/"}}, nil
	}
	return r.library.Filelist(q)
}

type folder struct{ fileInfo }

func (folder) Mode() fs.FileMode { return fs.ModeDir | 0o755 }
func (folder) IsDir() bool       { return true }

func (f folder) ListAt(to []fs.FileInfo, off int64) (int, error) {
	if off > 0 || len(to) == 0 {
		return 0, io.EOF
	}
	to[0] = f
	return 1, io.EOF
}

// The file that a URL names is no flag and no pattern.
func TestURLIsLiteral(t *testing.T) {
	s := newServer(t, map[string]string{"--force": "a flag", "nope1": "another", "[": "bracket", "--help": "help"})
	s.handlers.FileList = rooted{s.handlers.FileGet.(*library)}
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{"--force": "a flag", "%5B": "bracket", "--help": "help"} {
		status, _, errs := s.run(t, "", "sftp://"+s.addr+"/"+name)
		want(t, status, 0, errs)
		if name == "%5B" {
			name = "["
		}
		if strings.HasPrefix(name, "-") { // no program here takes it for a flag
			name = "_" + name
		}
		if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != text {
			t.Errorf("%s: %q", name, got)
		}
	}
	status, _, errs := s.run(t, "", "sftp://"+s.addr+"/nope*")
	want(t, status, exitSome, errs, "nope*: ")
	if _, err := os.Stat("nope1"); err == nil {
		t.Error("another file was downloaded")
	}
}

// A folder that is not there is no missing connection.
func TestURLOfNoFolder(t *testing.T) {
	s := newServer(t, nil)
	status, _, errs := s.run(t, "", "sftp://"+s.addr+"/nowhere/at/all", "list")
	want(t, status, exitSome, errs, "there is no folder /nowhere/at")
}
