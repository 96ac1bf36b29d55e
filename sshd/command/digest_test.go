package command

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"shelf/sshd/budget"
	"shelf/vfs/access"

	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"shelf/vfs"
)

// The output is the same, to the byte, as that of coreutils in the same folder.
func TestDigestsAsCoreutils(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("md5sum is not that of coreutils here")
	}
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "empty", "")
	write(t, folder, "a.txt", "hello")
	write(t, folder, "b c.txt", strings.Repeat("x", 700_000))
	write(t, folder, `back\slash`, "\\")
	write(t, folder, "-dash", "-")
	write(t, folder, "it's", "'")
	write(t, folder, "star*", "*")
	for _, algorithm := range []string{"md5sum", "sha1sum", "sha256sum", "sha512sum"} {
		for _, args := range []string{
			"empty", "a.txt empty a.txt", `'b c.txt' "it's"`, `back\\slash`, "-- -dash a.txt", "./-dash ./a.txt", "-b a.txt", "a.txt --binary empty",
			"-t a.txt", "a.txt missing empty", "missing", "*.txt", "./*.txt", "'star*'", "star*", "[ab]*", "?.txt nope*", `.//a.txt`, "--text -- a.txt",
		} {
			cmd := exec.Command("sh", "-c", algorithm+" "+args)
			cmd.Dir, cmd.Env = folder, append(os.Environ(), "LC_ALL=C")
			want, _ := cmd.Output()
			stdout, stderr, status := l.run(t, algorithm+" "+args).end()
			if stdout != string(want) || status != cmd.ProcessState.ExitCode() || (stderr == "") != (status == 0) {
				t.Errorf("%s %s: %q, %q, status %d; want %q and %d", algorithm, args, stdout, stderr, status, want, cmd.ProcessState.ExitCode())
			}
		}
		cmd := exec.Command(algorithm)
		want, err := cmd.Output()
		if stdout, stderr, status := l.run(t, algorithm).end(); stdout != string(want) || stderr != "" || status != 0 || err != nil {
			t.Errorf("%s: %q, %q, status %d; want %q", algorithm, stdout, stderr, status, want)
		}
	}
}

func TestDigestLine(t *testing.T) {
	for name, want := range map[string]string{
		"a": "00  a\n", `a\b`: `\00  a\\b` + "\n", "a\nb": `\00  a\nb` + "\n", "a\rb": `\00  a\rb` + "\n", "a\tb": "00  a\tb\n",
	} {
		if got := digestLine([]byte{0}, ' ', name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	write(t, folder, ".hidden", "hidden")
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"link", "/etc/passwd", "../../../etc/passwd", ".hidden", ".", "/", "''", "-c a", "--check a", "--tag a", "-z a", "-",
		"/proc/self/environ", folder + "/a", ".shelf", "'a\x1b[2J'", "*/*", "/etc/*", "../etc/pass*", strings.Repeat("a", 300),
	} {
		stdout, stderr, status := l.run(t, "md5sum "+args).end()
		if stdout != "" || stderr == "" || status != exitFailure || strings.Contains(stderr, folder) && !strings.Contains(args, folder) || strings.Contains(stderr, "\x1b") {
			t.Errorf("%s: %q, %q, status %d", args, stdout, stderr, status)
		}
	}
	c := l.run(t, "md5sum")
	c.sends("hello")
	if stdout, stderr, status := c.end(); stdout != "" || !strings.Contains(stderr, "name a file") || status != exitFailure {
		t.Errorf("of stdin: %q, %q, status %d", stdout, stderr, status)
	}
}

func TestDigestsNeedRead(t *testing.T) {
	l, folder := newLibrary(t, vfs.Permissions{List: true, Write: true})
	write(t, folder, "a", "hello")
	stdout, stderr, status := l.run(t, "md5sum a").end()
	if stdout != "" || !strings.Contains(stderr, "may not read") || status != exitFailure {
		t.Errorf("%q, %q, status %d", stdout, stderr, status)
	}
	if e := l.event(t, "digest"); e.Name != "a" || e.Err == nil {
		t.Errorf("reported as %+v", e)
	}
}

// TestPatternsEndWithTheClient asks for the digests of thousands of patterns, and
// leaves.
func TestPatternsEndWithTheClient(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	ctx, leave := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	files := access.New(ctx, l.options)
	leave()
	status, err := Run(Call{
		Line: "md5sum" + strings.Repeat(" a* b*", 5000), Access: files,
		Channel: struct {
			io.Reader
			io.Writer
		}{&stdout, &stdout}, Stderr: &stderr,
	})
	if err != nil || status != exitFailure && stdout.Len() > 0 {
		t.Errorf("%v, status %d", err, status)
	}
	if len(l.events) > 3 {
		t.Errorf("it went on for %d events", len(l.events))
	}
}

// TestCommandsTakeMemory has a command and its patterns take more than the account
// has left.
func TestCommandsTakeMemory(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	for n := range 100 {
		write(t, folder, fmt.Sprint("file", n), "hello")
	}
	var limits budget.Limits
	for k := range limits.Of {
		limits.Of[k] = budget.Limit{Account: 2048, All: 1 << 20, Setting: "account_limits.memory"}
	}
	share, err := budget.New(limits).Enter("ada", 0)
	if err != nil {
		t.Fatal(err)
	}
	run := func(line string) string {
		var stdout, stderr bytes.Buffer
		_, err := Run(Call{Line: line, Access: access.New(t.Context(), l.options), Share: share, Stderr: &stderr, Channel: struct {
			io.Reader
			io.Writer
		}{&stdout, &stdout}})
		if err != nil {
			return err.Error()
		}
		return stderr.String()
	}
	for _, line := range []string{"md5sum file*", "md5sum" + strings.Repeat(" x", 100)} {
		if told := run(line); !strings.Contains(told, "(account_limits.memory)") {
			t.Errorf("%.20s: %s", line, told)
		}
	}
	if told := run("md5sum file1 file2"); told != "" {
		t.Errorf("a small one: %s", told)
	}
	if share.Take(budget.Memory, 2048) != nil {
		t.Error("something was not given back")
	}
}

// TestPatternsAreOneListing has a command with many patterns. Its event is one, so that
// a guest does not fill the audit log with a single line.
func TestPatternsAreOneListing(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	l.run(t, "md5sum"+strings.Repeat(" b*", 50)).end()
	if len(l.events) != 1 || l.events[0].Op != "list" {
		t.Errorf("%d events: %+v", len(l.events), l.events)
	}
}
