package sshd

import (
	"bufio"
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
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// says reads n bytes of what the server says.
func (p *peer) says(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(p, got); string(got) != want {
		p.t.Fatalf("the server says %q (%v), want %q", got[:n], err, want)
	}
}

// complains reads a message that begins with code and has text in it.
func (p *peer) complains(code byte, text string) {
	p.t.Helper()
	line, err := bufio.NewReaderSize(oneByOne{p}, 16).ReadString('\n')
	if err != nil || line[0] != code || !strings.Contains(line, text) {
		p.t.Fatalf("the server says %q (%v), want code %d and %q", line, err, code, text)
	}
}

// oneByOne reads no byte ahead.
type oneByOne struct{ io.Reader }

func (o oneByOne) Read(b []byte) (int, error) { return o.Reader.Read(b[:min(1, len(b))]) }

func (p *peer) sends(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
}

// ends checks what is left, and the exit status.
func (p *peer) ends(status int, what string) {
	p.t.Helper()
	stdout, stderr, got := p.end()
	if got != status {
		p.t.Errorf("%s: status %d, want %d; the server says %q, %q", what, got, status, stdout, stderr)
	}
}

func has(t *testing.T, folder, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v; want %q", name, got, err, want)
	}
}

// isEmpty: nothing but the stage folder is there, and nothing in that.
func isEmpty(t *testing.T, folder, after string) {
	t.Helper()
	for _, f := range []string{folder, filepath.Join(folder, ".shelf")} {
		entries, err := os.ReadDir(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != ".shelf" && e.Name() != "lock" {
				t.Errorf("%s: %s is left", after, filepath.Join(filepath.Base(f), e.Name()))
			}
		}
	}
}

func TestScpSink(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	p := s.exec(t, s.dial(t), "scp -v -p -t .")
	p.says("\x00")
	p.sends("T1000000000 0 1000000001 0\n")
	p.says("\x00")
	p.sends("C0640 5 a b.txt\n")
	p.says("\x00")
	p.sends("hello\x00")
	p.says("\x00")
	has(t, folder, "a b.txt", "hello") // it is there before the client goes on
	p.sends("C4777 0 empty\n")
	p.says("\x00")
	p.sends("\x00")
	p.says("\x00")
	p.sends("C0644 5 a b.txt\n") // again, and shorter times
	p.says("\x00")
	p.sends("HELLO\x00")
	p.says("\x00")
	p.ends(exitOK, "a good upload")
	has(t, folder, "a b.txt", "HELLO")
	if i, err := os.Stat(filepath.Join(folder, "empty")); err != nil || i.Mode() != 0o777 || i.Size() != 0 {
		t.Errorf("%v, %v", i, err)
	}
	if e := s.events.await(t, "put"); e.Name != "a b.txt" || e.Bytes != 5 || e.Err != nil {
		t.Errorf("reported as %+v", e)
	}
}

func TestScpSinkKeepsTimes(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	p := s.exec(t, s.dial(t), "scp -pt name")
	p.says("\x00")
	p.sends("T1000000000 0 1000000001 0\nC0640 5 other\nhello\x00") // all at once
	p.says("\x00\x00\x00")
	p.ends(exitOK, "an upload with times")
	i, err := os.Stat(filepath.Join(folder, "name"))
	if err != nil || !i.ModTime().Equal(time.Unix(1e9, 0)) || i.Mode() != 0o640 {
		t.Errorf("%v, %v", i, err)
	}
}

// Each of these is told so, and nothing is left of it.
func TestScpSinkRefuses(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	client := s.dial(t)
	for what, test := range map[string]struct {
		sends string
		code  byte
		says  string
	}{
		"a path":                {"C0644 5 ../x\n", scpFatal, "name that is none"},
		"a path down":           {"C0644 5 x/y\n", scpFatal, "name that is none"},
		"an absolute path":      {"C0644 5 /etc/passwd\n", scpFatal, "name that is none"},
		"dot":                   {"C0644 5 .\n", scpFatal, "name that is none"},
		"dot dot":               {"C0644 5 ..\n", scpFatal, "name that is none"},
		"no name":               {"C0644 5 \n", scpFatal, "name that is none"},
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
		"the end of one":        {"E\n", scpFatal, "none of C, D and T"},
		"nonsense":              {"hello\n", scpFatal, "none of C, D and T"},
		"an empty line":         {"\n", scpFatal, "none of C, D and T"},
		"short times":           {"T1 0 1\n", scpFatal, "protocol error"},
		"wild times":            {"T1 0 99999999999999999999 0\n", scpFatal, "protocol error"},
		"negative times":        {"T-1 0 1 0\n", scpFatal, "protocol error"},
		"microseconds":          {"T1 1000000 1 0\n", scpFatal, "protocol error"},
	} {
		p := s.exec(t, client, "scp -r -t /")
		p.says("\x00")
		p.sends(test.sends)
		p.complains(test.code, test.says)
		p.ends(exitFailure, what)
		isEmpty(t, folder, what)
	}
}

// After an error of one file the next is taken.
func TestScpSinkGoesOn(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	p := s.exec(t, s.dial(t), "scp -r -d -t .")
	p.says("\x00")
	p.sends("D0755 0 folder\n")
	p.complains(scpError, "no folders")
	p.sends("C0644 5 .hidden\n")
	p.complains(scpError, "dot")
	p.sends("\x01scp: x: Permission denied\n") // of a file that is never sent
	p.sends("C0644 5 a\n")
	p.says("\x00")
	p.sends("hello\x00")
	p.says("\x00")
	p.ends(exitFailure, "two files that were not taken")
	has(t, folder, "a", "hello")
}

// What is not whole is not published, and leaves the old file as it was.
func TestScpSinkOfLiars(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	client := s.dial(t)
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
		p := s.exec(t, client, "scp -t .")
		p.says("\x00")
		p.sends("C0644 5 a\n")
		p.says("\x00")
		p.sends(test.data)
		stdout, _, status := p.end()
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

// What a cut leaves can be resumed, as over SFTP; what a liar leaves is no
// beginning of anything.
func TestScpSinkCut(t *testing.T) {
	s, folder := shelfKeeping(t, vfs.DefaultPermissions(), local.PartialRules{MinSize: 1, PerAccount: 9, MaxAge: time.Hour})
	for what, test := range map[string]struct {
		data string
		kept int
	}{
		"a cut":                 {"hel", 1},
		"a cut before the NUL":  {"hello", 1},
		"more than announced":   {"hello, world", 0},
		"an error at the end":   {"hel\x00\x00\x01scp: a: Input/output error\n", 0},
		"a fatal error instead": {"hello\x02scp: a: lost\n", 0},
	} {
		client := s.dial(t)
		p := s.exec(t, client, "scp -t .")
		p.says("\x00")
		p.sends("C0644 5 a\n")
		p.says("\x00")
		p.sends(test.data)
		client.Close()
		eventually(t, "the end of the connection", func() bool { return s.Connections() == 0 })
		kept, err := filepath.Glob(filepath.Join(folder, ".shelf", "partial-*"))
		if err != nil || len(kept) != test.kept {
			t.Errorf("%s: %q, %v", what, kept, err)
		}
		for _, file := range kept {
			os.Remove(file)
		}
		isEmpty(t, folder, what)
	}
	if e := s.events.await(t, "put"); e.Err == nil || e.Name != "a" {
		t.Errorf("reported as %+v", e)
	}
}

func TestScpTargets(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	client := s.dial(t)
	for target, want := range map[string]string{
		".": "a", "/": "a", "''": "a", "~": "a", "./": "a", "~/": "a", "..": "a", "b": "b", "/b": "b", "~/b": "b", "./b": "b", "../../b": "b",
		"'a b'": "a b", `a\ b`: "a b", "-- b": "b", "'*'": "*", "*": "*",
	} {
		p := s.exec(t, client, "scp -t "+target)
		p.says("\x00")
		p.sends("C0644 5 a\n")
		p.says("\x00")
		p.sends("hello\x00")
		p.says("\x00")
		p.ends(exitOK, target)
		has(t, folder, want, "hello")
		if os.Remove(filepath.Join(folder, want)) != nil {
			t.Errorf("%s: %s is not there", target, want)
		}
		isEmpty(t, folder, target)
	}
	for line, says := range map[string]string{
		"scp -d -t b": "no folder", "scp -t b/": "no folder", "scp -t ../../etc/": "no folder", "scp -d -t /etc": "no folder",
	} {
		p := s.exec(t, client, line)
		p.complains(scpFatal, says)
		p.ends(exitFailure, line)
	}
	for _, target := range []string{"/etc/passwd", "../etc/passwd", "a/b", ".shelf/x", ".profile", folder + "/x"} {
		p := s.exec(t, client, "scp -t "+target)
		p.says("\x00")
		p.sends("C0644 5 a\n")
		p.complains(scpError, "")
		p.ends(exitFailure, target)
	}
	isEmpty(t, folder, "targets elsewhere")
}

func TestScpOptions(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	client := s.dial(t)
	for _, args := range []string{"", "-t", "-f", "-t -f a", "a b", "-t a b", "-x -t a", "-t --help", "-S id -t a", "-o ProxyCommand=id -f a", "-D id -f a", "-3 -t a", "-"} {
		stdout, stderr, status := s.exec(t, client, "scp "+args).end()
		if stdout != "" || !strings.HasPrefix(stderr, "scp: ") || status != exitFailure {
			t.Errorf("%s: %q, %q, status %d", args, stdout, stderr, status)
		}
	}
	isEmpty(t, folder, "options")
}

func TestScpSource(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
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
	p := s.exec(t, s.dial(t), `scp -p -f "a b.txt" missing ./[ab]`)
	p.sends("\x00")
	p.says("T1000000000 0 1000000000 0\n")
	p.sends("\x00")
	p.says("C0640 5 a b.txt\n")
	p.sends("\x00")
	p.says("hello\x00")
	p.sends("\x00")
	p.complains(scpError, `"missing": no such file`)
	if line, _ := bufio.NewReader(oneByOne{p}).ReadString('\n'); !strings.HasPrefix(line, "T") {
		t.Fatalf("after an error: %q", line)
	}
	p.sends("\x00")
	p.says("C0644 7 [ab]\n") // not a: a literal name wins
	p.sends("\x00")
	p.says("literal\x00")
	p.sends("\x00")
	p.ends(exitFailure, "a download of which one file was missing")
	e := s.events.await(t, "get")
	if e.Name != "a b.txt" || e.Bytes != 5 || e.Err != nil {
		t.Errorf("reported as %+v", e)
	}
}

func TestScpSourceWildcards(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	for _, name := range []string{"b.txt", "a.txt", "c.bin", ".hidden.txt"} {
		write(t, folder, name, name)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "d.txt")); err != nil {
		t.Fatal(err)
	}
	client := s.dial(t)
	for pattern, want := range map[string][]string{
		"*.txt": {"a.txt", "b.txt"}, "*": {"a.txt", "b.txt", "c.bin"}, "/[bc]*": {"b.txt", "c.bin"}, "~/?.bin": {"c.bin"}, "c.bin a*": {"c.bin", "a.txt"},
	} {
		p := s.exec(t, client, "scp -f "+pattern)
		p.sends("\x00")
		for _, name := range want {
			p.says(fmt.Sprintf("C0644 %d %s\n", len(name), name))
			p.sends("\x00")
			p.says(name + "\x00")
			p.sends("\x00")
		}
		p.ends(exitOK, pattern)
	}
	for _, pattern := range []string{"x*", "'*'", "/etc/*", "../etc/pass*", ".*", "*/*", "[", folder + "/*"} {
		p := s.exec(t, client, "scp -f "+pattern)
		p.sends("\x00")
		p.complains(scpError, "no ")
		p.ends(exitFailure, pattern)
	}
}

func TestScpSourceRefuses(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, ".hidden", "hidden")
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	client := s.dial(t)
	for _, path := range []string{"/etc/passwd", "../../../etc/passwd", "link", ".hidden", ".", "/", "''", "~", ".shelf", "/proc/self/environ", folder} {
		p := s.exec(t, client, "scp -r -f "+path)
		p.sends("\x00")
		p.complains(scpError, "")
		p.ends(exitFailure, path)
	}
}

// A sink that says nonsense is served no further; one that refuses a file is
// sent the next.
func TestScpSourceOfLiars(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, "a", strings.Repeat("x", 900_000))
	write(t, folder, "b", "hello")
	client := s.dial(t)
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
		p := s.exec(t, client, "scp -f a b")
		p.sends(answers)
		stdout, _, status := p.end()
		if status != exitFailure || strings.Contains(stdout, "hello") {
			t.Errorf("%s: %d bytes, status %d", what, len(stdout), status)
		}
	}
	p := s.exec(t, client, "scp -f a b")
	p.sends("\x00")
	p.says("C0644 900000 a\n")
	p.sends("\x01scp: a: disk full\n")
	p.says("C0644 5 b\n")
	p.sends("\x00")
	p.says("hello\x00")
	p.sends("\x00")
	p.ends(exitFailure, "a file that was refused")
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
		s, folder := shelfOf(t, test.p)
		write(t, folder, "old", "old")
		client := s.dial(t)
		for name, may := range map[string]bool{"new": test.up, "old": test.over} {
			p := s.exec(t, client, "scp -t .")
			p.says("\x00")
			p.sends("C0644 5 " + name + "\n")
			if !may {
				p.complains(scpError, "may not")
				p.ends(exitFailure, name)
				continue
			}
			p.says("\x00")
			p.sends("hello\x00")
			p.says("\x00")
			p.ends(exitOK, name)
			has(t, folder, name, "hello")
		}
		for path, may := range map[string]bool{"old": test.down, "ol?": test.glob} {
			p := s.exec(t, client, "scp -f "+path)
			p.sends("\x00")
			if !may {
				p.complains(scpError, "may not")
				p.ends(exitFailure, path)
				continue
			}
			p.says("C0644 ")
			p.Close()
		}
	}
}

// A disk that fails in the middle: zeros stand for the rest, and it is said.
func TestScpSourceOfAShrunkenFile(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, "a", strings.Repeat("x", 200_000))
	p := s.exec(t, s.dial(t), "scp -f a")
	p.sends("\x00")
	p.says("C0644 200000 a\n")
	if err := os.Truncate(filepath.Join(folder, "a"), 100_000); err != nil {
		t.Fatal(err)
	}
	p.sends("\x00")
	p.says(strings.Repeat("x", 100_000) + strings.Repeat("\x00", 100_000))
	p.complains(scpError, "disk failed")
	p.sends("\x00")
	p.ends(exitFailure, "a file that shrank")
	if e := s.events.await(t, "get"); e.Err == nil {
		t.Error("it is reported as done")
	}
}

// FuzzScpSink has a source say anything. Whatever it is, the conversation ends,
// and what is published has a name that may be and the length it was announced
// with.
func FuzzScpSink(f *testing.F) {
	f.Add("T1 0 1 0\nC0644 5 a\nhello\x00C0600 0 b\n\x00", "-pt .")
	f.Add("D0755 0 d\nC0644 3 a\nabc\x01scp: failed\nE\n", "-rt .")
	f.Add("C0644 9223372036854775807 a\n\x02x\n", "-t 'a b'")
	f.Fuzz(func(t *testing.T, source, args string) {
		words, err := splitWords(args)
		if err != nil {
			return
		}
		library := vfstest.NewMemory()
		files := access.New(t.Context(), access.Options{Library: library, Permissions: vfs.DefaultPermissions(), MaxFileSize: 1 << 16})
		channel := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(source), io.Discard}
		p := &process{name: "scp", args: words, access: files, channel: channel, stderr: io.Discard}
		p.scp()
		if files.OpenHandles() != 0 {
			t.Error("something is left open")
		}
		for i, err := range library.List(t.Context()) {
			announced := regexp.MustCompile(fmt.Sprintf(" 0*%d ", i.Size))
			if err != nil || vfs.CheckName(i.Name) != nil || !announced.MatchString(source) {
				t.Errorf("%q of %d bytes was published: %v", i.Name, i.Size, err)
			}
		}
	})
}
