package tests

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"shelf/tests/objectstore"
)

// eicar is the text that scanners call a virus, so that they can be tried. It stands
// here in two pieces: whole, scanners would find this file.
func eicar() []byte {
	return []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STAND` + `ARD-ANTIVIRUS-TEST-FILE!$H+H*`)
}

// signature is what clamd calls it, by the database of the tests.
const signature = "Eicar-Test-Signature.UNOFFICIAL"

// scanner is ClamAV's clamd, which knows one virus.
type scanner struct {
	dir    string
	socket string
	extra  string // settings
	cmd    *exec.Cmd
}

const clamdProgram = "/usr/sbin/clamd"

// startClamd starts one, with more settings for clamd.conf.
func startClamd(t *testing.T, settings ...string) *scanner {
	t.Helper()
	need(t, clamdProgram)
	dir, err := os.MkdirTemp("", "clamd") // the path of a socket has to be short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &scanner{dir: dir, socket: filepath.Join(dir, "clamd.ctl"), extra: strings.Join(settings, "\n")}
	must(t, os.Mkdir(filepath.Join(dir, "db"), 0o755))
	// A line of an .ndb database: name, any kind of file, anywhere in it.
	must(t, os.WriteFile(filepath.Join(dir, "db", "test.ndb"), []byte("Eicar-Test-Signature:0:*:"+hex.EncodeToString(eicar())+"\n"), 0o644))
	c.start(t)
	t.Cleanup(c.kill)
	return c
}

func (c *scanner) start(t *testing.T) {
	t.Helper()
	file := filepath.Join(c.dir, "clamd.conf")
	must(t, os.WriteFile(file, fmt.Appendf(nil, "DatabaseDirectory %s/db\nLocalSocket %s\nFixStaleSocket yes\nForeground yes\n%s\n", c.dir, c.socket, c.extra), 0o644))
	c.cmd = exec.Command(clamdProgram, "-c", file)
	must(t, c.cmd.Start())
	eventually(t, "clamd answers", func() bool {
		conn, err := net.Dial("unix", c.socket)
		if err != nil {
			return false
		}
		defer conn.Close()
		conn.Write([]byte("zPING\x00"))
		pong := make([]byte, 5)
		n, _ := conn.Read(pong)
		return string(pong[:n]) == "PONG\x00"
	})
}

func (c *scanner) kill() {
	c.cmd.Process.Signal(syscall.SIGCONT)
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// gated starts a server whose library has a gate with these settings.
func gated(t *testing.T, settings ...string) *server {
	t.Helper()
	s, err := startConfigured(t.TempDir(), gateConfig(settings...))
	must(t, err)
	stopAtEnd(t, s)
	return s
}

func gateConfig(settings ...string) string {
	return fmt.Sprintf("audit_log = \"audit.jsonl\"\nuser = %q\nauthorized_keys_file = \"id.pub\"\n[libraries.in]\npath = \"library\"\n[libraries.in.gate]\n%s\n",
		user, strings.Join(settings, "\n"))
}

// gateEvents are the words of the gate in the audit log, with the reasons, of the last
// put of each name.
func (s *server) gateEvents(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for line := range strings.Lines(s.auditLog(t, "audit.jsonl")) {
		var l struct{ Op, Name, Gate, Result, Reason string }
		must(t, json.Unmarshal([]byte(line), &l))
		if l.Op == "put" {
			all[l.Name] = strings.TrimSuffix(l.Gate+" "+l.Result+" "+l.Reason, " ")
		}
	}
	return all
}

// gateClients copy the file local to a name, in their own way.
func gateClients(s *server, local, name string) map[string]*exec.Cmd {
	_, port, _ := net.SplitHostPort(s.addr)
	return map[string]*exec.Cmd{
		"sftp":   sftpBatch(s, fmt.Sprintf("put %s %s\n", local, name)),
		"scp":    exec.Command("scp", "-F", s.config, local, "shelf:"+name),
		"scp -O": exec.Command("scp", "-O", "-F", s.config, local, "shelf:"+name),
		"shelf":  shelfCommand(s, "put", local, "as", name),
		"rclone": exec.Command("rclone", "copyto", "--retries", "1", "--low-level-retries", "1", "--ignore-times", local,
			":sftp,host=127.0.0.1,port="+port+",user="+user+",key_file="+s.identity+":"+name),
	}
}

// TestGateRefusesEICAR gives each client the reason, and leaves the old version.
func TestGateRefusesEICAR(t *testing.T) {
	t.Parallel()
	c := startClamd(t)
	s := gated(t, `clamd = "unix:`+c.socket+`"`)
	evil, good := filepath.Join(s.dir, "evil"), filepath.Join(s.dir, "good")
	must(t, os.WriteFile(evil, eicar(), 0o644), os.WriteFile(good, []byte("good"), 0o644))
	const reason = "the file was refused by a check: " + signature
	for client := range gateClients(s, evil, "") {
		t.Run(client, func(t *testing.T) {
			need(t, strings.Fields(client)[0])
			name := strings.ReplaceAll(client, " ", "")
			s.put(t, name+"-old", []byte("old"))
			for _, target := range []string{name + "-new", name + "-old"} {
				out, err := gateClients(s, evil, target)[client].CombinedOutput()
				if err == nil || !strings.Contains(string(out), reason) {
					t.Errorf("to %s: %v\n%s", target, err, out)
				}
			}
			if string(s.get(t, name+"-old")) != "old" {
				t.Error("the old version is gone")
			}
			if out, err := gateClients(s, good, name+"-old")[client].CombinedOutput(); err != nil || string(s.get(t, name+"-old")) != "good" {
				t.Errorf("a good one: %v\n%s", err, out)
			}
			told := s.gateEvents(t)
			if got := told[name+"-new"]; client != "rclone" && got != "refused refused "+reason {
				t.Errorf("the audit log tells %q", got)
			}
			if got := told[name+"-old"]; client != "rclone" && got != "passed ok" {
				t.Errorf("the audit log tells %q", got)
			}
		})
	}
	s.winSCPPutsEICAR(t, reason)
	if left := s.stages(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	for _, f := range files(t, s.library) {
		if strings.Contains(f, "new") || strings.Contains(f, "part") {
			t.Errorf("there is %s", f)
		}
	}
	if metrics := s.operate(t, "status", "--json"); !strings.Contains(metrics, `"gate":{}`) {
		t.Errorf("the status: %s", metrics)
	}
}

// files are the names in a folder.
func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(folder)
	must(t, err)
	for _, e := range all {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// winSCPPutsEICAR sends WinSCP's requests for a small file, and for a large one, which
// goes to a temporary name.
func (s *server) winSCPPutsEICAR(t *testing.T, reason string) {
	t.Helper()
	large := append(content(1, 200_000), eicar()...)
	for name, text := range map[string][]byte{"small": eicar(), "large.filepart": large} {
		target := strings.TrimSuffix(name, ".filepart")
		for _, old := range []bool{true, false} {
			if old {
				s.put(t, target, []byte("old"))
			} else {
				must(t, os.Remove(filepath.Join(s.library, target)))
			}
			c := s.dial(t)
			f, err := c.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
			must(t, err)
			_, err = f.Write(text)
			must(t, err)
			if err := f.Close(); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s: CLOSE says %v", name, err)
			}
			if _, err := c.Lstat("/" + name); !errors.Is(err, fs.ErrNotExist) && (name != target || !old) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := os.Lstat(filepath.Join(s.library, target)); (err == nil) != old {
				t.Errorf("%s: %v", target, err)
			}
			if old && string(s.get(t, target)) != "old" {
				t.Errorf("%s: the old version is gone", name)
			}
			c.cut(false)
		}
	}
}

// TestGateWithoutVerdict has clamd dead, stopped in the middle, and back again.
func TestGateWithoutVerdict(t *testing.T) {
	t.Parallel()
	c := startClamd(t)
	for _, onError := range []string{"refuse", "accept"} {
		s := gated(t, `clamd = "unix:`+c.socket+`"`, `timeout = "1s"`, fmt.Sprintf("on_error = %q", onError))
		file := filepath.Join(s.dir, "file")
		must(t, os.WriteFile(file, []byte("new"), 0o644))
		try := func(name string) {
			t.Helper()
			s.put(t, name, []byte("old"))
			out, err := exec.Command("scp", "-F", s.config, file, "shelf:"+name).CombinedOutput()
			got, told := string(s.get(t, name)), s.gateEvents(t)[name]
			switch onError {
			case "refuse":
				if err == nil || !strings.Contains(string(out), "could not be checked, so it is not accepted") || got != "old" || !strings.HasPrefix(told, "failed failed ") {
					t.Errorf("%s: %v, it has %q, told is %q\n%s", name, err, got, told, out)
				}
			case "accept":
				if err != nil || got != "new" || told != "unchecked ok" {
					t.Errorf("%s: %v, it has %q, told is %q\n%s", name, err, got, told, out)
				}
			}
		}
		must(t, c.cmd.Process.Signal(syscall.SIGSTOP))
		try("slow")
		must(t, c.cmd.Process.Signal(syscall.SIGCONT))
		c.kill()
		try("dead")
		if status := s.operate(t, "status"); !strings.Contains(status, "PROBLEM: the gate of library in gives no verdict: dial: connect: ") || strings.Contains(status, c.socket) {
			t.Errorf("the status:\n%s", status)
		}
		c.start(t)
		if out, err := exec.Command("scp", "-F", s.config, file, "shelf:back").CombinedOutput(); err != nil || s.gateEvents(t)["back"] != "passed ok" {
			t.Errorf("clamd is back: %v\n%s", err, out)
		}
		eventually(t, "the status has no problem", func() bool { return !strings.Contains(s.operate(t, "status"), "PROBLEM") })
	}
}

// TestGateLargerThanScanned has files above max_size, and above what clamd looks at.
func TestGateLargerThanScanned(t *testing.T) {
	t.Parallel()
	c := startClamd(t, "MaxFileSize 100K", "AlertExceedsMax yes")
	silent := startClamd(t, "MaxFileSize 100K")
	for _, test := range []struct {
		settings []string
		told     string
		says     string
	}{
		{[]string{`max_size = "50KiB"`}, "", "files are limited to 51200 bytes here"},
		{[]string{`max_size = "50KiB"`, `above_max_size = "accept"`}, "unchecked ok", ""},
		{[]string{`max_size = 0`}, "refused refused", "the file is more than the scanner looks at (Heuristics.Limits.Exceeded.MaxFileSize.UNOFFICIAL)"},
		{[]string{`max_size = 0`, `above_max_size = "accept"`}, "unchecked ok", ""},
		{[]string{`max_size = 0`, `clamd = "unix:` + silent.socket + `"`}, "passed ok", ""}, // why docs/gate.md wants AlertExceedsMax
	} {
		if len(test.settings) < 2 || !strings.HasPrefix(test.settings[1], "clamd") {
			test.settings = append(test.settings, `clamd = "unix:`+c.socket+`"`)
		}
		s := gated(t, test.settings...)
		large := filepath.Join(s.dir, "large")
		must(t, os.WriteFile(large, append(eicar(), make([]byte, 200_000)...), 0o644))
		out, err := exec.Command("scp", "-F", s.config, large, "shelf:").CombinedOutput()
		told := s.gateEvents(t)["large"]
		if (err == nil) != (test.says == "") || !strings.Contains(string(out), regexp.MustCompile(`\.UNOFFICIAL|\)`).ReplaceAllString(test.says, "")) || test.told != "" && !strings.HasPrefix(told, test.told) {
			t.Errorf("%q: %v, told is %q\n%s", test.settings, err, told, out)
		}
		if _, err := os.Lstat(filepath.Join(s.library, "large")); (err == nil) != (test.says == "") {
			t.Errorf("%q: %v", test.settings, err)
		}
	}
}

// barrier is a socket before clamd that passes nothing on until so many are connected.
// Descriptors do not come through, as with any proxy: so the content is sent.
func barrier(t *testing.T, clamd string, count int) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "barrier")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	t.Cleanup(func() { l.Close() })
	var waiting sync.WaitGroup
	waiting.Add(count)
	go func() {
		for n := 0; ; n++ {
			from, err := l.Accept()
			if err != nil {
				return
			}
			if n < count {
				waiting.Done()
			}
			go func() {
				waiting.Wait()
				to, err := net.Dial("unix", clamd)
				if err != nil {
					from.Close()
					return
				}
				splice(from, to)
			}()
		}
	}()
	return filepath.Join(dir, "s")
}

// splice joins two connections until one end is closed.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			buffer := make([]byte, 64<<10)
			for {
				n, err := way[0].Read(buffer)
				if n > 0 {
					if _, err := way[1].Write(buffer[:n]); err != nil {
						break
					}
				}
				if err != nil {
					break
				}
			}
			way[1].(*net.UnixConn).CloseWrite()
		})
	}
	both.Wait()
	a.Close()
	b.Close()
}

// TestGateScansInParallel uploads eight files at once. None is scanned before all are
// there to be scanned.
func TestGateScansInParallel(t *testing.T) {
	t.Parallel()
	const count = 8
	c := startClamd(t)
	s := gated(t, `clamd = "unix:`+barrier(t, c.socket, count)+`"`)
	var uploads sync.WaitGroup
	for n := range count {
		client := s.dial(t)
		uploads.Go(func() {
			text, name := content(uint64(n), 300_000), "good"+strconv.Itoa(n)
			if n%2 == 1 {
				text, name = append(text, eicar()...), "evil"+strconv.Itoa(n)
			}
			f, err := client.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
			if err == nil {
				_, err = f.Write(text)
				err = errors.Join(err, f.Close())
			}
			if (err == nil) != (n%2 == 0) || n%2 == 1 && !strings.Contains(err.Error(), signature) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	uploads.Wait()
	if got := files(t, s.library); strings.Join(got, " ") != "good0 good2 good4 good6" {
		t.Errorf("published are %q", got)
	}
}

// keeperOf starts shelfd gate with a shell script.
func keeperOf(t *testing.T, script string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "keeper")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "gate.sock")
	cmd := exec.Command("shelfd", "gate", "--listen", socket, "--", "sh", "-c", script)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("shelfd gate: %v", err)
		}
		if _, err := os.Lstat(socket); err == nil {
			t.Error("the socket is still there")
		}
	})
	eventually(t, "shelfd gate answers", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return socket
}

// TestGateOutsideOfTheSandbox looks at the process that asks scanners: it is held to
// that, and when it is gone nothing is let in.
func TestGateOutsideOfTheSandbox(t *testing.T) {
	oneServer(t, "the process of one server that asks scanners")
	if _, err := os.Stat("/proc/self/status"); err != nil {
		cannotRun(t, "there is no /proc")
	}
	yes := keeperOf(t, "true")
	dir := t.TempDir()
	s, err := startConfigured(dir, "sandbox = \"require\"\n"+gateConfig(`socket = "unix:`+yes+`"`))
	must(t, err)
	stopAtEnd(t, s)
	pid := s.child(t)
	eventually(t, "the process that asks scanners is confined", func() bool {
		return strings.Contains(string(slurp(t, fmt.Sprintf("/proc/%d/status", pid))), "Seccomp:\t2")
	})
	if env := string(slurp(t, fmt.Sprintf("/proc/%d/environ", pid))); strings.Contains(env, "HOME") {
		t.Errorf("its environment is %q", env)
	}
	put := func(name string) error {
		f, err := s.dial(t).OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		must(t, err)
		return f.Close()
	}
	must(t, put("one"))

	// Other settings of the gate count after a reload, but no new scanner.
	config := filepath.Join(dir, "shelfd.toml")
	rewrite := func(gate ...string) {
		t.Helper()
		must(t, os.WriteFile(config, []byte("sandbox = \"require\"\n"+gateConfig(gate...)), 0o600))
	}
	rewrite(`socket = "unix:` + yes + `,unix:/run/other.sock"`)
	s.reload(t, "there is a scanner at /run/other.sock; that takes a restart of the server")
	must(t, put("two"))
	rewrite(`socket = "unix:`+yes+`"`, `on_error = "accept"`)
	s.reload(t, "the configuration was reloaded")

	must(t, syscall.Kill(pid, syscall.SIGTERM)) // which it leaves to the server
	must(t, put("three"))
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, "the log tells that it is gone", func() bool {
		return strings.Contains(s.stderr.String(), "the process that asks scanners has ended")
	})
	must(t, put("four"))
	if told := s.gateEvents(t)["four"]; told != "unchecked ok" {
		t.Errorf("with on_error = accept: %q", told)
	}
	rewrite(`socket = "unix:` + yes + `"`)
	s.reload(t, "the configuration was reloaded")
	if err := put("five"); err == nil || !strings.Contains(err.Error(), "could not be checked") {
		t.Errorf("with on_error = refuse: %v", err)
	}
	if status := s.operate(t, "status"); !strings.Contains(status, "PROBLEM: the gate of library in gives no verdict: the process that asks scanners has ended; restart the server") {
		t.Errorf("the status:\n%s", status)
	}
	if got := strings.Join(files(t, s.library), " "); got != "four one three two" {
		t.Errorf("published are %s", got)
	}
}

// child is the only process that the server has started.
func (s *server) child(t *testing.T) int {
	t.Helper()
	pid := s.cmd.Process.Pid
	text := string(slurp(t, fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)))
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	must(t, err)
	for _, task := range tasks {
		text += " " + string(slurp(t, fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name())))
	}
	child, err := strconv.Atoi(strings.Fields(text)[0])
	must(t, err)
	return child
}

// TestGateEndsWithTheServer leaves no process behind, also after kill -9.
func TestGateEndsWithTheServer(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		cannotRun(t, "there is no /proc")
	}
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		s, err := startConfigured(t.TempDir(), gateConfig(`socket = "unix:/run/there/is/none.sock"`))
		must(t, err)
		child := s.child(t)
		must(t, s.cmd.Process.Signal(end))
		<-s.exited
		eventually(t, "the process that asks scanners is gone", func() bool {
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
			return err != nil || strings.Contains(string(state), ") Z ") // nobody reaps orphans in some containers
		})
	}
}

// TestQuarantine keeps what is refused, and publishes or drops it when an operator says so.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	socket := keeperOf(t, `if grep -q EVIL; then echo "it is EVIL"; exit 1; fi`)
	s := gated(t, `socket = "unix:`+socket+`"`, "quarantine = true", `quarantine_max = "1KiB"`)
	c := s.dial(t)
	put := func(name, text string) {
		t.Helper()
		f, err := c.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		must(t, err)
		_, err = f.Write([]byte(text))
		must(t, err)
		if err := f.Close(); (err == nil) == strings.Contains(text, "EVIL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	list := func() (all []struct{ ID, Name, Account, Library, Reason, SHA256 string }) {
		t.Helper()
		must(t, json.Unmarshal([]byte(s.operate(t, "quarantine", "list", "--json")), &all))
		return all
	}
	if out := s.operate(t, "quarantine", "list"); !strings.Contains(out, "Nothing is in quarantine.") {
		t.Errorf("at first: %s", out)
	}
	put("one", "EVIL one")
	put("two", "EVIL two")
	put("good", "good")
	put("huge", "EVIL"+strings.Repeat("x", 2000)) // has no room
	all := list()
	if len(all) != 2 || all[0].Name != "one" || all[1].Account != user || all[0].Library != "in" || all[0].Reason != "the file was refused by a check: it is EVIL" || len(all[0].SHA256) != 64 {
		t.Fatalf("in quarantine are %+v", all)
	}
	if out := s.operate(t, "quarantine", "list"); !strings.Contains(out, all[0].ID) || !strings.Contains(out, "it is EVIL") {
		t.Errorf("the list: %s", out)
	}
	if got := strings.Join(files(t, s.library), " "); got != "good" {
		t.Errorf("published are %s", got)
	}
	put("one", "meanwhile")
	if out, err := s.tryOperate("quarantine", "release", all[0].ID); err == nil || !strings.Contains(out, "a file of that name exists") {
		t.Errorf("over a file: %v\n%s", err, out)
	}
	// A hold is for operators, too.
	hold := func(value string) {
		t.Helper()
		file := filepath.Join(s.dir, "shelfd.toml")
		was := strings.TrimPrefix(strings.TrimPrefix(string(slurp(t, file)), "hold = true\n"), "hold = false\n")
		must(t, os.WriteFile(file, []byte("hold = "+value+"\n"+was), 0o600))
		s.reload(t, "the configuration was reloaded")
	}
	hold("true")
	if out, err := s.tryOperate("quarantine", "release", all[0].ID, "--replace"); err == nil || !strings.Contains(out, "the library is held") {
		t.Errorf("over a held file: %v\n%s", err, out)
	}
	hold("false")
	s.operate(t, "quarantine", "release", all[0].ID, "--replace")
	if string(s.get(t, "one")) != "EVIL one" || s.gateEvents(t)["one"] != "released ok" {
		t.Errorf("it has %q, told is %q", s.get(t, "one"), s.gateEvents(t)["one"])
	}
	s.operate(t, "quarantine", "drop", all[1].ID)
	if left := list(); len(left) > 0 {
		t.Errorf("left are %+v", left)
	}
	if left := files(t, filepath.Join(s.state, "quarantine")); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	for _, command := range []string{"release", "drop"} {
		if out, err := s.tryOperate("quarantine", command, all[1].ID); err == nil || !strings.Contains(out, "nothing of that id") {
			t.Errorf("%s once more: %v\n%s", command, err, out)
		}
	}
	// The first of three gives room to the last.
	for _, name := range []string{"a", "b", "c"} {
		put(name, "EVIL"+strings.Repeat("x", 400))
	}
	if all := list(); len(all) != 2 || all[0].Name != "b" {
		t.Errorf("in quarantine are %+v", all)
	}
	s.keepsToTheSchema(t)
}

// keepsToTheSchema holds each line of the audit log to the schema.
func (s *server) keepsToTheSchema(t *testing.T) {
	t.Helper()
	schema, _, _ := schemaOf(t)
	for line := range strings.Lines(string(slurp(t, filepath.Join(s.dir, "audit.jsonl")))) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		must(t, err)
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// serveGateOverABucket is a server, in the strictest sandbox, of a library in a bucket with a
// gate of these settings.
func serveGateOverABucket(t *testing.T, dir, gate string) *server {
	t.Helper()
	need(t, objectstore.Program)
	s, err := newServer(dir)
	must(t, err)
	store, err := objectstore.Start(dir, "")
	must(t, err)
	t.Cleanup(store.Stop)
	must(t, s.configureBucket(store.URL))
	file := filepath.Join(dir, "shelfd.toml")
	text := "audit_log = \"audit.jsonl\"\nsandbox = \"require\"\n" + string(slurp(t, file)) + "[libraries.default.gate]\n" + gate
	must(t, os.WriteFile(file, []byte(text), 0o600), s.start([]string{"--config", file}))
	stopAtEnd(t, s)
	return s
}

// TestGateOverABucket judges what waits in the spool, in the strictest sandbox: of a
// large file most is in the store by then, as parts of no file.
func TestGateOverABucket(t *testing.T) {
	t.Parallel()
	socket := keeperOf(t, `if grep -q EVIL; then echo evil; exit 1; fi`)
	dir := t.TempDir()
	s := serveGateOverABucket(t, dir, "socket = \"unix:"+socket+"\"\n")
	c := s.dial(t)
	for name, text := range map[string][]byte{"small": nil, "large": content(3, 20<<20)} {
		for _, end := range []string{"fine", "EVIL"} {
			f, err := c.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
			must(t, err)
			_, err = f.ReadFrom(strings.NewReader(string(text) + end))
			must(t, err)
			if err := f.Close(); (err == nil) != (end == "fine") || err != nil && !strings.Contains(err.Error(), "the file was refused by a check: evil") {
				t.Errorf("%s, %s: %v", name, end, err)
			}
		}
		got, err := c.Open("/" + name)
		must(t, err)
		all, err := io.ReadAll(got)
		if err != nil || string(all) != string(text)+"fine" {
			t.Errorf("%s has %d bytes, %v", name, len(all), err)
		}
	}
	if told := s.gateEvents(t); !strings.HasPrefix(told["small"], "refused refused") || !strings.HasPrefix(told["large"], "refused refused") {
		t.Errorf("the audit log tells %q", told)
	}
}

// TestGateCancelled goes before the verdict: nothing is published, and the command ends.
func TestGateCancelled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := keeperOf(t, "touch "+dir+"/begun; exec sleep 1000")
	s := gated(t, `socket = "unix:`+socket+`"`)
	c := s.dial(t)
	f, err := c.OpenFile("/x", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	go f.Close()
	eventually(t, "the command runs", func() bool { return second(os.Stat(dir+"/begun")) == nil })
	c.cut(true)
	eventually(t, "it is reported", func() bool { return s.gateEvents(t)["x"] != "" })
	if told := s.gateEvents(t)["x"]; !strings.HasPrefix(strings.TrimSpace(told), "cut ") {
		t.Errorf("the audit log tells %q", told)
	}
	if got := files(t, s.library); len(got) > 0 {
		t.Errorf("published are %q", got)
	}
	eventually(t, "the stage is gone", func() bool { return len(s.stages(t)) == 0 })
}

// TestGateRunsCommands asks clamd and then two commands.
func TestGateRunsCommands(t *testing.T) {
	t.Parallel()
	c := startClamd(t)
	macros := keeperOf(t, `if grep -q MACRO; then echo "macros in $SHELF_NAME of $SHELF_ACCOUNT"; exit 1; fi`)
	broken := keeperOf(t, `case $(cat) in *broken*) exit 3;; esac`)
	s := gated(t, `clamd = "unix:`+c.socket+`"`, `socket = "unix:`+macros+`,unix:`+broken+`"`)
	for name, test := range map[string]struct{ text, says, told string }{
		"good":   {"good", "", "passed ok"},
		"eicar":  {string(eicar()), signature, "refused refused"},
		"macro":  {"a MACRO", "the file was refused by a check: macros in macro of ada", "refused refused"},
		"broken": {"broken", "could not be checked", "failed failed"},
	} {
		c := s.dial(t)
		f, err := c.OpenFile("/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		must(t, err)
		_, err = f.Write([]byte(test.text))
		must(t, err)
		if err := f.Close(); (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
		if told := s.gateEvents(t)[name]; !strings.HasPrefix(told, test.told) {
			t.Errorf("%s: told is %q", name, told)
		}
	}
	if got := files(t, s.library); strings.Join(got, " ") != "good" {
		t.Errorf("published are %q", got)
	}
}
