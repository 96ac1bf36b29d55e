package command

import (
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
