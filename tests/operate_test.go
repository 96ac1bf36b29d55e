package tests

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// operated is what a server is told that an operator looks into.
const operated = `
library = "library"
audit_log = "audit"
admin_listen = ":0"
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`

var webAddress = regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+/)`)

// web is where the server answers to browsers.
func (s *server) web(t testing.TB) string {
	t.Helper()
	m := webAddress.FindStringSubmatch(s.stderr.String())
	if m == nil {
		t.Fatalf("the log does not say where the page is:\n%s", s.stderr)
	}
	return m[1]
}

// browse is what the server answers at a path there.
func (s *server) browse(t testing.TB, path string) string {
	t.Helper()
	r, err := http.Get(s.web(t) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// operate runs a command of an operator, which must succeed.
func (s *server) operate(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.tryOperate(args...)
	if err != nil {
		t.Fatalf("shelfd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *server) tryOperate(args ...string) (string, error) {
	out, err := exec.Command("shelfd", append(args, "--state", s.state)...).CombinedOutput()
	return string(out), err
}

// connection is one in the answer of shelfd who.
type connection struct {
	ID, Account, Source, Key, Client string
	Transfers                        []struct {
		Direction, Name string
		Bytes           int64
		Size            *int64
	}
}

func (s *server) who(t testing.TB) (all []connection) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.operate(t, "who", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// slowly uploads a file with stock sftp, no faster than some kbit/s.
func (s *server) slowly(t *testing.T, file, kbits string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command("sftp", "-l", kbits, "-b", "-", "-F", s.config, "shelf")
	cmd.Stdin = strings.NewReader("put " + file + "\n")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, &out
}

// TestOperatorSeesAndKicks has stock clients move files, and finds what they do in
// every window. One of two transfers is kicked; the other goes on.
func TestOperatorSeesAndKicks(t *testing.T) {
	need(t, "sftp")
	s := serveConfigured(t, operated)
	for _, name := range []string{"kicked.bin", "goes-on.bin"} {
		writeRandom(t, filepath.Join(s.dir, name), 3<<20)
	}
	out, err := sftpBatch(s, "put "+filepath.Join(s.dir, "id.pub")+"\nget id.pub "+filepath.Join(s.dir, "back")+"\nls\nrm id.pub\n").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, told := s.slowly(t, filepath.Join(s.dir, "kicked.bin"), "4000")
	second, _ := s.slowly(t, filepath.Join(s.dir, "goes-on.bin"), "8000")
	moving := func(all []connection, name string) (id string) {
		for _, c := range all {
			if len(c.Transfers) == 1 && c.Transfers[0].Name == name && c.Transfers[0].Direction == "upload" && c.Transfers[0].Bytes > 0 {
				id = c.ID
			}
		}
		return id
	}
	eventually(t, "who shows both uploads", func() bool {
		all := s.who(t)
		return moving(all, "kicked.bin") != "" && moving(all, "goes-on.bin") != ""
	})
	all := s.who(t)
	if c := all[0]; c.Account != user || !strings.HasPrefix(c.Key, "SHA256:") || !strings.Contains(c.Client, "OpenSSH") {
		t.Errorf("who says %+v", c)
	}
	if text := s.operate(t, "who"); !strings.Contains(text, "kicked.bin") || !strings.Contains(text, all[0].ID) {
		t.Errorf("who says\n%s", text)
	}
	eventually(t, "metrics and page have them", func() bool {
		return strings.Contains(s.browse(t, "metrics"), "\n"+`shelf_transfers{direction="received"} 2`+"\n") &&
			strings.Contains(s.browse(t, "page.json"), `"name":"kicked.bin"`)
	})
	s.operate(t, "kick", moving(all, "kicked.bin"), "--reason", "the disk is changed")
	if err := first.Wait(); err == nil || !strings.Contains(told.String(), "the disk is changed") {
		t.Errorf("who is kicked is told (%v)\n%s", err, told)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("the other transfer: %v", err)
	}
	if want := slurp(t, filepath.Join(s.dir, "goes-on.bin")); !bytes.Equal(s.get(t, "goes-on.bin"), want) {
		t.Error("what went on is not whole")
	}
	s.findEverywhere(t)
	if out, err := s.tryOperate("kick", "nobody"); err == nil || !strings.Contains(out, `"nobody"`) {
		t.Errorf("kicked is who is not there: %s", out)
	}
}

// findEverywhere looks for what was done in the windows that remember.
func (s *server) findEverywhere(t *testing.T) {
	t.Helper()
	eventually(t, "metrics count it", func() bool {
		text := s.browse(t, "metrics")
		for _, want := range []string{
			`shelf_logins_total{method="publickey",result="ok"} 3`, `op="put",reason="",result="ok"} 2`, `op="get",reason="",result="ok"} 1`,
			`op="remove",reason="",result="ok"} 1`, `op="kicked"`, `shelf_publish_seconds_count 2`, `shelf_transfers{direction="received"} 0`,
			`shelf_audit_failures_total 0`, `shelf_ready{check="library library"} 1`,
		} {
			if !strings.Contains(text, want) {
				return false
			}
		}
		return true
	})
	page := s.browse(t, "page.json")
	for _, want := range []string{`"op":"put"`, `"name":"goes-on.bin"`, `"op":"remove"`, `"op":"kick"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	log := readText(t, filepath.Join(s.dir, "audit"))
	for _, want := range []string{
		`"op":"put".*"name":"goes-on.bin"`, `"op":"get"`, `"op":"list"`, `"op":"remove".*"name":"id.pub"`,
		`"op":"kick".*"operator":".*\(uid \d+\)"`, `"op":"kicked".*"note":"the disk is changed"`, `"op":"put".*"result":"(cut|refused)".*"name":"kicked.bin"`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the audit log has no %s:\n%s", want, log)
		}
	}
}

// TestOperatorSteers uses the other commands.
func TestOperatorSteers(t *testing.T) {
	s := serveConfigured(t, "per_source_penalty_exempt_list = []\n"+operated)
	c := s.dial(t)
	for s.tryWrongly() == nil { // until it is turned away
	}
	var bans []struct{ Source string }
	if err := json.Unmarshal([]byte(s.operate(t, "bans", "--json")), &bans); err != nil || len(bans) != 1 || bans[0].Source != "127.0.0.1" {
		t.Fatalf("turned away are %v (%v)", bans, err)
	}
	if out := s.operate(t, "unban", "127.0.0.0/8"); !strings.Contains(out, "127.0.0.1") {
		t.Errorf("unban says %s", out)
	}
	if out, err := s.tryOperate("unban", "nowhere"); err == nil {
		t.Errorf("unban of nothing says %s", out)
	}
	s.dial(t).close()

	s.put(t, "file", make([]byte, 10000))
	if out := s.operate(t, "usage"); !regexp.MustCompile(`(?m)^library +9\.8 KiB .* 1 `).MatchString(out) {
		t.Errorf("usage says\n%s", out)
	}
	if out := s.operate(t, "health"); !strings.HasSuffix(out, "\nready\n") {
		t.Errorf("health says\n%s", out)
	}
	s.operate(t, "health", "--live")
	file := filepath.Join(s.dir, "shelfd.toml")
	if err := os.WriteFile(file, []byte("mistake = 1\n"+operated), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.tryOperate("reload"); err == nil || !strings.Contains(out, `there is no setting "mistake"`) {
		t.Errorf("a reload with a mistake (%v):\n%s", err, out)
	}
	eventually(t, "status tells of it", func() bool { return strings.Contains(s.operate(t, "status"), "PROBLEM: the last reload failed") })
	if err := os.WriteFile(file, []byte(operated), 0o600); err != nil {
		t.Fatal(err)
	}
	s.operate(t, "reload")

	// A drain lets a transfer end, and nobody in.
	f, err := c.Create("last")
	if err != nil {
		t.Fatal(err)
	}
	s.operate(t, "drain", "--no-wait")
	waiting, said := exec.Command("shelfd", "drain", "--state", s.state), newOutput()
	waiting.Stdout, waiting.Stderr = said, said
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "drain waits", func() bool { return strings.Contains(said.String(), "draining: 1 upload ") })
	eventually(t, "nobody is let in", func() bool {
		late, err := s.connect()
		if err == nil {
			late.close()
		}
		return err != nil
	})
	eventually(t, "health tells of it", func() bool {
		out, err := s.tryOperate("health")
		return err != nil && strings.Contains(out, "[-]accepting failed: the server is draining")
	})
	if _, err := f.Write([]byte("whole")); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := waiting.Wait(); err != nil {
		t.Errorf("drain ends with %v\n%s", err, said)
	}
	<-s.exited
	if got := s.get(t, "last"); string(got) != "whole" {
		t.Errorf("the last upload is %q", got)
	}
	if out, err := s.tryOperate("status"); err == nil || !strings.Contains(out, "no server can be asked") {
		t.Errorf("without a server, status says %s", out)
	}
	log := readText(t, filepath.Join(s.dir, "audit"))
	for _, want := range []string{`"op":"unban"`, `"op":"drain"`, `"op":"reload".*"result":"failed"`, `"op":"reload".*"result":"ok"`} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the audit log has no %s:\n%s", want, log)
		}
	}
}

// tryWrongly tries to log in as somebody else.
func (s *server) tryWrongly() error {
	c, err := s.connectAs("nobody")
	if err == nil {
		c.close()
	}
	if err != nil && strings.Contains(err.Error(), "unable to authenticate") {
		return nil
	}
	return err
}

// TestDrainCanBeCutShort: a drain that takes too long is ended by a stop, after
// grace.
func TestDrainCanBeCutShort(t *testing.T) {
	s := serve(t, "--grace", "100ms")
	if _, err := s.dial(t).Create("never"); err != nil {
		t.Fatal(err)
	}
	s.operate(t, "drain", "--no-wait")
	select {
	case <-s.exited:
		t.Error("it did not wait for the upload")
	case <-time.After(300 * time.Millisecond):
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.exited
}

// TestWatch shows a screen that changes, and leaves the terminal as it was.
func TestWatch(t *testing.T) {
	s := serve(t)
	p := sit(t, exec.Command("shelfd", "who", "--watch", "--state", s.state))
	p.sees(`Nobody is connected\.`)
	s.dial(t)
	p.sees(user)
	p.types("\x03")
	p.sees(`\x1b\[\?1049l`)
	p.ends()
}

// TestServiceManager hears what a service manager is told, in the order in which it
// happens, by a server in its sandbox.
func TestServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3000000")
	s := serveConfigured(t, operated)
	hears := func(want string) {
		t.Helper()
		text := make([]byte, 1000)
		for {
			l.SetReadDeadline(time.Now().Add(patience))
			n, err := l.Read(text)
			if err != nil {
				t.Fatalf("the manager does not hear %s: %v", want, err)
			}
			if strings.HasPrefix(string(text[:n]), want) {
				return
			}
		}
	}
	hears("STATUS=serving: 0 connections")
	hears("READY=1")
	hears("WATCHDOG=1")
	s.operate(t, "reload")
	hears("RELOADING=1\nMONOTONIC_USEC=")
	hears("READY=1")
	s.dial(t)
	hears("STATUS=serving: 1 connections")
	s.cmd.Process.Signal(syscall.SIGTERM)
	hears("STOPPING=1")
	<-s.exited
}
