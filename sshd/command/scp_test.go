package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

func TestScpSink(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	c := l.run(t, "scp -v -p -t .")
	c.says("\x00")
	c.sends("T1000000000 0 1000000001 0\n")
	c.says("\x00")
	c.sends("C0640 5 a b.txt\n")
	c.says("\x00")
	c.sends("hello\x00")
	c.says("\x00")
	has(t, folder, "a b.txt", "hello") // it is there before the client goes on
	c.sends("C4777 0 empty\n")
	c.says("\x00")
	c.sends("\x00")
	c.says("\x00")
	c.sends("C0644 5 a b.txt\n") // again, and shorter times
	c.says("\x00")
	c.sends("HELLO\x00")
	c.says("\x00")
	c.ends(exitOK, "a good upload")
	has(t, folder, "a b.txt", "HELLO")
	if i, err := os.Stat(filepath.Join(folder, "empty")); err != nil || i.Mode() != 0o777 || i.Size() != 0 {
		t.Errorf("%v, %v", i, err)
	}
	if e := l.event(t, "put"); e.Name != "a b.txt" || e.Bytes != 5 || e.Err != nil {
		t.Errorf("reported as %+v", e)
	}
}

func TestScpSinkKeepsTimes(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	c := l.run(t, "scp -pt name")
	c.says("\x00")
	c.sends("T1000000000 0 1000000001 0\nC0640 5 other\nhello\x00") // all at once
	c.says("\x00\x00\x00")
	c.ends(exitOK, "an upload with times")
	i, err := os.Stat(filepath.Join(folder, "name"))
	if err != nil || !i.ModTime().Equal(time.Unix(1e9, 0)) || i.Mode() != 0o640 {
		t.Errorf("%v, %v", i, err)
	}
}

// The client is told what is wrong with each of these, and no file is left.
func TestScpSinkRefuses(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for what, test := range map[string]struct {
		sends string
		code  byte
		says  string
	}{
		"a path":                {"C0644 5 ../x\n", scpFatal, "invalid name"},
		"a path down":           {"C0644 5 x/y\n", scpFatal, "invalid name"},
		"an absolute path":      {"C0644 5 /etc/passwd\n", scpFatal, "invalid name"},
		"dot":                   {"C0644 5 .\n", scpFatal, "invalid name"},
		"dot dot":               {"C0644 5 ..\n", scpFatal, "invalid name"},
		"no name":               {"C0644 5 \n", scpFatal, "invalid name"},
		"hidden":                {"C0644 5 .profile\n", scpError, "starts with a dot"},
		"a NUL":                 {"C0644 5 a\x00b\n", scpError, "control character"},
		"an escape":             {"C0644 5 a\x1b[2J\n", scpError, "control character"},
		"not UTF-8":             {"C0644 5 a\xff\n", scpError, "UTF-8"},
		"a long name":           {"C0644 5 " + strings.Repeat("x", 256) + "\n", scpError, "255"},
		"giant":                 {"C0644 9223372036854775807 x\n", scpError, "limited to"},
		"larger than giant":     {"C0644 9223372036854775808 x\n", scpFatal, "protocol error"},
		"larger than it may be": {"C0644 1048577 x\n", scpError, "limited to"},
		"negative":              {"C0644 -1 x\n", scpFatal, "protocol error"},
		"plus":                  {"C0644 +1 x\n", scpFatal, "protocol error"},
		"no size":               {"C0644 x\n", scpFatal, "protocol error"},
		"no mode":               {"C 5 x\n", scpFatal, "protocol error"},
		"a short mode":          {"C644 5 x\n", scpFatal, "protocol error"},
		"a mode that is none":   {"C0888 5 x\n", scpFatal, "protocol error"},
		"a record without end":  {"C0644 5 " + strings.Repeat("x", 3*maxScpLine), scpFatal, "longer than"},
		"a folder":              {"D0755 0 folder\n", scpError, "no folders"},
		"the end of one":        {"E\n", scpFatal, "begin with C, D or T"},
		"nonsense":              {"hello\n", scpFatal, "begin with C, D or T"},
		"an empty line":         {"\n", scpFatal, "begin with C, D or T"},
		"short times":           {"T1 0 1\n", scpFatal, "protocol error"},
		"wild times":            {"T1 0 99999999999999999999 0\n", scpFatal, "protocol error"},
		"negative times":        {"T-1 0 1 0\n", scpFatal, "protocol error"},
		"microseconds":          {"T1 1000000 1 0\n", scpFatal, "protocol error"},
	} {
		c := l.run(t, "scp -r -t /")
		c.says("\x00")
		c.sends(test.sends)
		c.complains(test.code, test.says)
		c.ends(exitFailure, what)
		isEmpty(t, folder, what)
	}
}

// After an error about one file the next one is taken.
func TestScpSinkGoesOn(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	c := l.run(t, "scp -r -d -t .")
	c.says("\x00")
	c.sends("D0755 0 folder\n")
	c.complains(scpError, "no folders")
	c.sends("C0644 5 .hidden\n")
	c.complains(scpError, "dot")
	c.sends("\x01scp: x: Permission denied\n") // of a file that is never sent
	c.sends("C0644 5 a\n")
	c.says("\x00")
	c.sends("hello\x00")
	c.says("\x00")
	c.ends(exitFailure, "two files that were not taken")
	has(t, folder, "a", "hello")
}

// What is written with libssh2 ends the channel after the last byte of the content,
// and tells its user that all is well. Less than all, an error of the client, or a
// lost connection is no whole file.
func TestScpSinkWithoutTheLastByte(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for what, test := range map[string]struct {
		data string
		lost bool
		want string
	}{
		"the client's end":                   {"hello", false, "hello"},
		"the client's end after the verdict": {"hello\x00", false, "hello"},
		"a lost connection":                  {"hello", true, "the old file"},
		"an end in the content":              {"hell", false, "the old file"},
		"an end in an error message":         {"hello\x01", false, "the old file"},
		"an end in a longer one":             {"hello\x01scp: a", false, "the old file"},
	} {
		write(t, folder, "a", "the old file")
		l.lost = func() bool { return test.lost }
		c := l.run(t, "scp -t .")
		c.says("\x00")
		c.sends("C0644 5 a\n")
		c.says("\x00")
		c.sends(test.data)
		if _, _, status := c.end(); (status == exitOK) != (test.want == "hello") {
			t.Errorf("%s: status %d", what, status)
		}
		has(t, folder, "a", test.want)
	}
}

// What belongs to a refused folder is no file of the library, whether the client
// listens or not; what follows the folder is.
func TestScpSinkSkipsFolders(t *testing.T) {
	const inside = "C0644 5 inner\nINNER\x00T1 0 1 0\nD0755 0 deeper\nC0644 3 deepest\nE\nC\x00E\nC0644 0 last\n\x00E\n"
	for what, send := range map[string]func(c *client){
		"all at once": func(c *client) { c.sends("D0755 0 folder\n" + inside + "C0644 5 after\nAFTER\x00") },
		"all at once, one of several": func(c *client) {
			c.sends("D0755 0 folder\n" + inside + "C0644 5 after\nAFTER\x00")
		},
		"step by step": func(c *client) {
			c.sends("D0755 0 folder\n")
			c.complains(scpError, "no folders")
			c.sends("C0644 5 inner\n")
			c.says("\x00")
			c.sends("INNER\x00")
			c.complains(scpError, "in a folder")
			c.sends("E\n")
			c.says("\x00")
			c.sends("C0644 5 after\n")
			c.says("\x00")
			c.sends("AFTER\x00")
		},
		"one of several, skipped": func(c *client) {
			c.sends("D0755 0 folder\n")
			c.complains(scpError, "no folders")
			c.sends("C0644 5 after\n")
			c.says("\x00")
			c.sends("AFTER\x00")
		},
	} {
		l, folder := newLibrary(t, vfs.DefaultPermissions())
		line := "scp -r -t ."
		if strings.Contains(what, "one of several") {
			line = "scp -r -d -t ."
		}
		c := l.run(t, line)
		c.says("\x00")
		send(c)
		if _, _, status := c.end(); status != exitFailure {
			t.Errorf("%s: status %d", what, status)
		}
		has(t, folder, "after", "AFTER")
		if err := os.Remove(filepath.Join(folder, "after")); err != nil {
			t.Error(err)
		}
		isEmpty(t, folder, what)
	}
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for what, sends := range map[string]string{
		"nonsense in it":     "hello\n",
		"an empty line":      "\n",
		"a path in it":       "C0644 5 ../x\n",
		"content that lacks": "C0644 5 x\nhe",
		"the client's end":   "\x02out of memory\n",
		"nothing":            "",
	} {
		c := l.run(t, "scp -r -t .")
		c.says("\x00")
		c.sends("D0755 0 folder\n" + sends)
		if _, _, status := c.end(); status != exitFailure {
			t.Errorf("%s: status %d", what, status)
		}
		isEmpty(t, folder, what)
	}
}

// An upload that is not complete is not published. The old file stays.
func TestScpSinkBrokenUploads(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for what, test := range map[string]struct{ data, says string }{
		"more than announced": {"hello, world\x00", "\x02scp: protocol error"},
		"no NUL after it":     {"helloC0644 5 b\n", "\x02scp: protocol error"},
		"an error at the end": {"hel\x00\x00\x01scp: a: Input/output error\n", "\x00"},
		"a fatal error there": {"hel\x00\x00\x02scp: lost\n", ""},
		"cut in the data":     {"hel", ""},
		"cut before the NUL":  {"hello", ""},
		"cut before the data": {"", ""},
		"cut in the message":  {"hello\x01scp: a", ""},
		"an endless message":  {"hello\x01" + strings.Repeat("x", 3*maxScpLine), "\x02scp: protocol error"},
	} {
		write(t, folder, "a", "the old file")
		c := l.run(t, "scp -t .")
		c.says("\x00")
		c.sends("C0644 5 a\n")
		c.says("\x00")
		c.sends(test.data)
		stdout, _, status := c.end()
		if !strings.HasPrefix(stdout, test.says) || test.says == "" && stdout != "" || status != exitFailure {
			t.Errorf("%s: %q, status %d", what, stdout, status)
		}
		has(t, folder, "a", "the old file")
		if err := os.Remove(filepath.Join(folder, "a")); err != nil {
			t.Fatal(err)
		}
		isEmpty(t, folder, what)
	}
}

func TestScpTargets(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for target, want := range map[string]string{
		".": "a", "/": "a", "''": "a", "~": "a", "./": "a", "~/": "a", "..": "a", "b": "b", "/b": "b", "~/b": "b", "./b": "b", "../../b": "b",
		"'a b'": "a b", `a\ b`: "a b", "-- b": "b", "'*'": "*", "*": "*",
	} {
		c := l.run(t, "scp -t "+target)
		c.says("\x00")
		c.sends("C0644 5 a\n")
		c.says("\x00")
		c.sends("hello\x00")
		c.says("\x00")
		c.ends(exitOK, target)
		has(t, folder, want, "hello")
		if os.Remove(filepath.Join(folder, want)) != nil {
			t.Errorf("%s: %s is not there", target, want)
		}
		isEmpty(t, folder, target)
	}
	for line, says := range map[string]string{
		"scp -d -t b": "no folder", "scp -t b/": "no folder", "scp -t ../../etc/": "no folder", "scp -d -t /etc": "no folder",
	} {
		c := l.run(t, line)
		c.complains(scpFatal, says)
		c.ends(exitFailure, line)
	}
	for _, target := range []string{"/etc/passwd", "../etc/passwd", "a/b", ".shelf/x", ".profile", folder + "/x"} {
		c := l.run(t, "scp -t "+target)
		c.says("\x00")
		c.sends("C0644 5 a\n")
		c.complains(scpError, "")
		c.ends(exitFailure, target)
	}
	isEmpty(t, folder, "targets elsewhere")
}

func TestScpFlags(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for _, args := range []string{"", "-t", "-f", "-t -f a", "a b", "-t a b", "-x -t a", "-t --help", "-S id -t a", "-o ProxyCommand=id -f a", "-D id -f a", "-3 -t a", "-"} {
		stdout, stderr, status := l.run(t, "scp "+args).end()
		if stdout != "" || !strings.HasPrefix(stderr, "scp: ") || status != exitFailure {
			t.Errorf("%s: %q, %q, status %d", args, stdout, stderr, status)
		}
	}
	isEmpty(t, folder, "flags")
}

func TestScpSource(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a b.txt", "hello")
	write(t, folder, "empty", "")
	write(t, folder, "[ab]", "literal")
	write(t, folder, "a", "one")
	when := time.Unix(1e9, 0)
	if err := os.Chtimes(filepath.Join(folder, "a b.txt"), when, when); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, "a b.txt"), 0o640); err != nil {
		t.Fatal(err)
	}
	c := l.run(t, `scp -p -f "a b.txt" missing ./[ab]`)
	c.sends("\x00")
	c.says("T1000000000 0 1000000000 0\n")
	c.sends("\x00")
	c.says("C0640 5 a b.txt\n")
	c.sends("\x00")
	c.says("hello\x00")
	c.sends("\x00")
	c.complains(scpError, `"missing": no such file`)
	if line := c.line(); !strings.HasPrefix(line, "T") {
		t.Fatalf("after an error: %q", line)
	}
	c.sends("\x00")
	c.says("C0644 7 [ab]\n") // not a: a literal name wins
	c.sends("\x00")
	c.says("literal\x00")
	c.sends("\x00")
	c.ends(exitFailure, "a download of which one file was missing")
	e := l.event(t, "get")
	if e.Name != "a b.txt" || e.Bytes != 5 || e.Err != nil {
		t.Errorf("reported as %+v", e)
	}
}

func TestScpSourceWildcards(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for _, name := range []string{"b.txt", "a.txt", "c.bin", ".hidden.txt"} {
		write(t, folder, name, name)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "d.txt")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string][]string{
		"*.txt": {"a.txt", "b.txt"}, "*": {"a.txt", "b.txt", "c.bin"}, "/[bc]*": {"b.txt", "c.bin"}, "~/?.bin": {"c.bin"}, "c.bin a*": {"c.bin", "a.txt"},
	} {
		c := l.run(t, "scp -f "+pattern)
		c.sends("\x00")
		for _, name := range want {
			c.says(fmt.Sprintf("C0644 %d %s\n", len(name), name))
			c.sends("\x00")
			c.says(name + "\x00")
			c.sends("\x00")
		}
		c.ends(exitOK, pattern)
	}
	for _, pattern := range []string{"x*", "'*'", "/etc/*", "../etc/pass*", ".*", "*/*", "[", folder + "/*"} {
		l.refusesDownload(t, "scp -f "+pattern, "no ")
	}
}

// refusesDownload checks that scp -f sends an error that contains text.
func (l *library) refusesDownload(t *testing.T, line, text string) {
	t.Helper()
	c := l.run(t, line)
	c.sends("\x00")
	c.complains(scpError, text)
	c.ends(exitFailure, line)
}

func TestScpSourceRefuses(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, ".hidden", "hidden")
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/passwd", "../../../etc/passwd", "link", ".hidden", ".", "/", "''", "~", ".shelf", "/proc/self/environ", folder} {
		l.refusesDownload(t, "scp -r -f "+path, "")
	}
}

// A client that breaks the protocol gets nothing more. One that refuses a file
// gets the next one.
func TestScpSourceBrokenClients(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a", strings.Repeat("x", 900_000))
	write(t, folder, "b", "hello")
	for what, answers := range map[string]string{
		"nonsense at once":    "hello\n",
		"a fatal error":       "\x02scp: lost\n",
		"an error at once":    "\x01scp: lost\n",
		"nothing":             "",
		"nonsense to C":       "\x00x",
		"fatal to C":          "\x00\x02no\n",
		"endless error":       "\x00\x01" + strings.Repeat("x", 3*maxScpLine),
		"gone after C":        "\x00",
		"gone after the data": "\x00\x00",
	} {
		c := l.run(t, "scp -f a b")
		c.sends(answers)
		stdout, _, status := c.end()
		if status != exitFailure || strings.Contains(stdout, "hello") {
			t.Errorf("%s: %d bytes, status %d", what, len(stdout), status)
		}
	}
	c := l.run(t, "scp -f a b")
	c.sends("\x00")
	c.says("C0644 900000 a\n")
	c.sends("\x01scp: a: disk full\n")
	c.says("C0644 5 b\n")
	c.sends("\x00")
	c.says("hello\x00")
	c.sends("\x00")
	c.ends(exitFailure, "a file that was refused")
}

func TestScpPermissions(t *testing.T) {
	for _, test := range []struct {
		p              vfs.Permissions
		up, over, down bool
		glob           bool
	}{
		{vfs.Permissions{Write: true}, true, false, false, false},
		{vfs.Permissions{Read: true}, false, false, true, false},
		{vfs.Permissions{List: true, Read: true}, false, false, true, true},
		{vfs.DefaultPermissions(), true, true, true, true},
	} {
		l, folder := newLibrary(t, test.p)
		write(t, folder, "old", "old")
		for name, may := range map[string]bool{"new": test.up, "old": test.over} {
			c := l.run(t, "scp -t .")
			c.says("\x00")
			c.sends("C0644 5 " + name + "\n")
			if !may {
				c.complains(scpError, "may not")
				c.ends(exitFailure, name)
				continue
			}
			c.says("\x00")
			c.sends("hello\x00")
			c.says("\x00")
			c.ends(exitOK, name)
			has(t, folder, name, "hello")
		}
		for path, may := range map[string]bool{"old": test.down, "ol?": test.glob} {
			c := l.run(t, "scp -f "+path)
			c.sends("\x00")
			if !may {
				c.complains(scpError, "may not")
				c.ends(exitFailure, path)
				continue
			}
			c.says("C0644 ")
			c.close()
		}
	}
}

// If the file can't be read to the end, zeros are sent for the rest and then an
// error.
func TestScpSourceOfAFileThatShrinks(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a", strings.Repeat("x", 200_000))
	c := l.run(t, "scp -f a")
	c.sends("\x00")
	c.says("C0644 200000 a\n")
	if err := os.Truncate(filepath.Join(folder, "a"), 100_000); err != nil {
		t.Fatal(err)
	}
	c.sends("\x00")
	c.says(strings.Repeat("x", 100_000) + strings.Repeat("\x00", 100_000))
	c.complains(scpError, "disk failed")
	c.sends("\x00")
	c.ends(exitFailure, "a file that shrank")
	if e := l.event(t, "get"); e.Err == nil {
		t.Error("it is reported as done")
	}
}

// FuzzScpSink uploads with arbitrary flags and records. The command must end, and
// each file that it publishes must have a valid name and the announced size.
func FuzzScpSink(f *testing.F) {
	f.Add("T1 0 1 0\nC0644 5 a\nhello\x00C0600 0 b\n\x00", "-pt .")
	f.Add("D0755 0 d\nC0644 3 a\nabc\x01scp: failed\nE\n", "-rt .")
	f.Add("C0644 9223372036854775807 a\n\x02x\n", "-t 'a b'")
	f.Fuzz(func(t *testing.T, source, arguments string) {
		library := vfstest.NewMemory()
		access := access.New(t.Context(), access.Options{Library: library, Permissions: vfs.DefaultPermissions(), MaxFileSize: 1 << 16})
		channel := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(source), io.Discard}
		Run(Call{Line: "scp " + arguments, Access: access, Channel: channel, Stderr: io.Discard})
		if access.OpenHandles() != 0 {
			t.Error("a file is still open")
		}
		for i, err := range library.List(t.Context()) {
			announced := regexp.MustCompile(fmt.Sprintf(" 0*%d ", i.Size))
			if err != nil || vfs.CheckName(i.Name) != nil || !announced.MatchString(source) {
				t.Errorf("%q of %d bytes was published: %v", i.Name, i.Size, err)
			}
		}
	})
}
