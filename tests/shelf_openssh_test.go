package tests

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	accounts "os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// openSSH is OpenSSH's server, as Debian has it, and a folder on it.
type openSSH struct {
	dir, folder string
	addr, user  string
}

// serveOpenSSH starts one for the person who runs the test, with a key of the
// test's own. To its configuration lines may be added.
func serveOpenSSH(t *testing.T, more ...string) *openSSH {
	t.Helper()
	const program = "/usr/sbin/sshd"
	need(t, program)
	me, err := accounts.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := &openSSH{dir: dir, folder: filepath.Join(dir, "files"), user: me.Username, addr: freeAddr(t)}
	for _, err := range []error{makeKey(filepath.Join(dir, "id")), makeKey(filepath.Join(dir, "host")), os.Mkdir(o.folder, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 { // where sshd confines itself; Debian's service makes it
		os.MkdirAll("/run/sshd", 0o755)
	}
	_, port, _ := net.SplitHostPort(o.addr)
	config := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPidFile none\n"+
		"PermitRootLogin yes\nSubsystem sftp internal-sftp\n%s\n", port, filepath.Join(dir, "host"), filepath.Join(dir, "id.pub"), strings.Join(more, "\n"))
	if err := os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	log := newOutput()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd says:\n%s", log)
		}
	})
	eventually(t, "sshd listens", func() bool {
		c, err := net.Dial("tcp", o.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return o
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// shelf is our client, led to the folder.
func (o *openSSH) shelf(args ...string) *exec.Cmd {
	flags := []string{"-F", "none", "-i", filepath.Join(o.dir, "id"), "--known-hosts", filepath.Join(o.dir, "known_hosts"), "--accept-new",
		"sftp://" + o.user + "@" + o.addr + "/" + o.folder}
	return exec.Command("shelf", append(flags, args...)...)
}

// must runs it and returns what it prints.
func (o *openSSH) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := o.shelf(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("shelf %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestShelfOnOpenSSH does with OpenSSH's server what a person does with shelf.
func TestShelfOnOpenSSH(t *testing.T) {
	t.Parallel()
	o := serveOpenSSH(t)
	here := t.TempDir()
	want := content(7, 3<<20)
	file := filepath.Join(here, "it's a file")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	o.must(t, "put", "--checksum", file)
	mustBe(t, filepath.Join(o.folder, "it's a file"), want)
	if left := partsIn(t, o.folder); len(left) > 0 {
		t.Errorf("left on the server: %v", left)
	}
	if out := o.must(t, "list"); !strings.Contains(out, "it's a file") {
		t.Errorf("list prints\n%s", out)
	}
	if out := o.must(t, "info", "it's a file"); !regexp.MustCompile(fmt.Sprintf("%x", digest(t, file))).MatchString(out) {
		t.Errorf("info prints\n%s", out)
	}
	o.must(t, "rename", "it's a file", "new name")
	o.must(t, "get", "--checksum", "new*", "to", here)
	mustBe(t, filepath.Join(here, "new name"), want)
	if out := o.must(t, "space"); !strings.Contains(out, "free") {
		t.Errorf("space prints\n%s", out)
	}
	if out, err := o.shelf("put", here).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("a folder")) {
		t.Errorf("put of a folder: %v\n%s", err, out)
	}
	o.must(t, "remove", "-f", "new name")
	if _, err := os.Stat(filepath.Join(o.folder, "new name")); err == nil {
		t.Error("it is not removed")
	}
}

// TestShelfResumesOnOpenSSH cuts transfers with a server that does not stage, and
// damages what there is of them. Where that server has a shell it makes digests;
// where it has none, what it has is read back, and a download starts anew.
func TestShelfResumesOnOpenSSH(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		config string
		gets   bool // it can go on with a download
	}{
		"with a shell":    {"", true},
		"without a shell": {"ForceCommand internal-sftp", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := serveOpenSSH(t, row.config)
			const size = 8 << 20
			want := content(8, size)
			here := t.TempDir()
			file := filepath.Join(here, "file")
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			o.cutTwice(t, []string{"put", "--retry", "0", "--json", file}, o.folder, "file", want, true)
			if err := os.WriteFile(filepath.Join(o.folder, "there"), want, 0o600); err != nil {
				t.Fatal(err)
			}
			o.cutTwice(t, []string{"get", "--retry", "0", "--json", "there", "to", to}, to, "there", want, row.gets)
		})
	}
}

// cutTwice cuts a transfer into a folder and goes on with it, the second time
// after a byte of what is there was changed.
func (o *openSSH) cutTwice(t *testing.T, args []string, folder, name string, want []byte, can bool) {
	t.Helper()
	l := newLink(t, o.addr, 0)
	far := *o
	far.addr = l.addr
	for _, damaged := range []bool{false, true} {
		l.after(int64(len(want)/2), l.cut)
		if out, err := far.shelf(args...).CombinedOutput(); err == nil {
			t.Fatalf("it was not cut\n%s", out)
		}
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			t.Fatal("a part has the name of the whole")
		}
		if part := beginning(t, folder); damaged {
			damage(t, part)
		}
		out := far.must(t, args...)
		if n := wentOnAfter([]byte(out)); damaged && n > damagedByte || !damaged && can && n == 0 {
			t.Errorf("damaged: %v, and %v prints\n%s", damaged, args, out)
		}
		mustBe(t, filepath.Join(folder, name), want)
		if left := partsIn(t, folder); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		os.Remove(filepath.Join(folder, name))
	}
}
