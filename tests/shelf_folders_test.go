package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestShelfFolders works with a server that has folders: by path, by pattern, from
// where cd has gone, and by URL. What is downloaded is saved in the folder here.
func TestShelfFolders(t *testing.T) {
	t.Parallel()
	o := serveOpenSSH(t)
	here := t.TempDir()
	for name, text := range map[string]string{"top.txt": "top", "sub/a.pdf": "a", "sub/b.txt": "bb", "sub/deep/c.txt": "ccc", "-rf": "minus", "bidi\u202etxt": "bidi"} {
		file := filepath.Join(o.folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(here, "up"), []byte("up"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(status int, script string, says ...string) {
		t.Helper()
		cmd := o.shelf()
		cmd.Dir, cmd.Stdin = here, strings.NewReader(script)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Errorf("%q ends with %d, want %d", script, got, status)
		}
		for _, s := range says {
			if !strings.Contains(string(out), s) {
				t.Errorf("%q is not in what %q prints:\n%s", s, script, out)
			}
		}
	}
	have := func(file, text string) {
		t.Helper()
		mustBe(t, file, []byte(text))
	}
	abs := o.folder + "/sub"
	run(0, "list", "top.txt\n", "-  ", "sub/\n", "  ./-rf\n", `bidi\u202etxt`)
	run(0, "list sub", " sub/a.pdf\n", " sub/b.txt\n", " sub/deep/\n")
	run(0, "list "+abs, " "+abs+"/a.pdf\n")
	run(0, "list '"+abs+"/*.pdf'", " "+abs+"/a.pdf\n")
	run(0, "list --json sub", `{"event":"folder","name":"sub/deep"}`, `{"event":"file","name":"sub/a.pdf"`, `{"event":"listed","files":2}`)
	run(1, "list sub/none", "sub/none: no such file")
	run(0, "get sub/*.txt\nget "+abs+"/deep/c.txt")
	have(filepath.Join(here, "b.txt"), "bb")
	have(filepath.Join(here, "c.txt"), "ccc")
	run(1, "get sub", "sub: that is a folder")
	run(0, "cd sub\npwd\nget a.pdf\nput up\ncd deep\nget ../../top.txt\ncd\npwd\nput up to sub as new\nput up to "+abs+"/deep", abs+"\n", o.folder+"\n")
	have(filepath.Join(here, "a.pdf"), "a")
	have(filepath.Join(here, "top.txt"), "top")
	for _, name := range []string{"up", "new", "deep/up"} {
		have(filepath.Join(abs, name), "up")
	}
	run(1, "put up to nowhere", "there is no folder nowhere on the server")
	run(1, "cd nowhere", "nowhere: ")
	run(1, "cd top.txt", "top.txt is not a folder")
	run(0, "info sub/b.txt\nrename sub/b.txt sub/z.txt\nremove -f sub/z.*", "removed sub/z.txt")
	if left := partsIn(t, abs); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	// Names that mislead are saved under others, and sync --down knows them again.
	down := filepath.Join(here, "down")
	if err := os.Mkdir(down, 0o700); err != nil {
		t.Fatal(err)
	}
	run(1, "sync --down down", "because they are folders: sub\n", "sync: 1 folder was left out")
	have(filepath.Join(down, "_-rf"), "minus")
	have(filepath.Join(down, "bidi_txt"), "bidi")
	have(filepath.Join(down, "top.txt"), "top")
	run(0, "sync --down --top-only down", "all files are there already")

	// A path of a URL starts at home, and with a second slash at the root.
	byURL := func(path string, args ...string) *exec.Cmd {
		cmd := o.shelf(args...)
		cmd.Dir = here
		for i, arg := range cmd.Args {
			if strings.HasPrefix(arg, "sftp://") {
				cmd.Args[i] = "sftp://" + o.user + "@" + o.addr + "/" + path
			}
		}
		return cmd
	}
	if out, err := byURL(abs+"/deep", "pwd").CombinedOutput(); err != nil || string(out) != abs+"/deep\n" {
		t.Errorf("by URL: %v, %s", err, out)
	}
	if out, err := byURL(abs + "/deep/c.txt").CombinedOutput(); err != nil || !strings.Contains(string(out), "c.txt: the same file") {
		t.Errorf("by URL: %v, %s", err, out)
	}
	home, err := byURL("", "pwd").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := byURL("~/", "pwd").CombinedOutput(); err != nil || string(out) != string(home) {
		t.Errorf("home: %v, %s, want %s", err, out, home)
	}
}

// TestShelfTabThroughFolders has Tab go from folder to folder, and offer only
// folders where one is wanted.
func TestShelfTabThroughFolders(t *testing.T) {
	o := serveOpenSSH(t)
	for _, name := range []string{"report/2026/may.pdf", "report/2026.txt", "readme"} {
		file := filepath.Join(o.folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := o.shelf()
	cmd.Dir = t.TempDir()
	p := sit(t, cmd)
	p.prompt()
	p.types("get rep" + tab + "2026/" + tab)
	p.sees(`get report/2026/may\.pdf `)
	p.says("", `got may\.pdf`)
	p.types("cd re" + tab + "2" + tab)
	p.sees(`cd report/2026/`)
	p.says("", `files/report/2026\r`)
	p.says("pwd", `files/report/2026`)
	p.types("quit" + enter)
	p.ends()
}
