package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// heldBack starts a server whose gate answers clients at once, for the accounts ada and
// bob. Its command waits until allow is called, and refuses what has EVIL in it.
func heldBack(t *testing.T, settings ...string) (s *server, allow func()) {
	t.Helper()
	oneServer(t, "what a server holds, and what it tells of that")
	dir := t.TempDir()
	permit := filepath.Join(dir, "permit")
	socket := keeperOf(t, `until [ -e `+permit+` ]; do sleep 0.05; done; if grep -q EVIL; then echo "it is EVIL"; exit 1; fi`)
	config := "sandbox = \"require\"\naudit_log = \"audit.jsonl\"\n[accounts.ada]\nauthorized_keys_file = \"id.pub\"\nlibrary = \"in\"\npermissions = [\"admin\"]\n" +
		"[accounts.bob]\nauthorized_keys_file = \"id.pub\"\nlibrary = \"in\"\npermissions = [\"admin\"]\n[libraries.in]\npath = \"library\"\n" +
		"[libraries.in.gate]\nmode = \"hold\"\nsocket = \"unix:" + socket + "\"\n" + strings.Join(settings, "\n") + "\n"
	s, err := startConfigured(dir, config)
	must(t, err)
	stopAtEnd(t, s)
	return s, func() { must(t, os.WriteFile(permit, nil, 0o600)) }
}

// killed kills a server and starts it again.
func (s *server) killed(t *testing.T) {
	t.Helper()
	s.cmd.Process.Kill()
	<-s.exited
	s.exited, s.stdout = make(chan struct{}), newOutput()
	must(t, s.start([]string{"--config", filepath.Join(s.dir, "shelfd.toml")}))
}

// holdLine is what these tests look at.
type holdLine struct{ Op, Result, Reason, Account, Name, Target, Gate, Note, Conn, Key, Source string }

// lines are those of the audit log about some operations.
func (s *server) lines(t *testing.T, ops ...string) (all []holdLine) {
	t.Helper()
	for line := range strings.Lines(string(slurp(t, filepath.Join(s.dir, "audit.jsonl")))) {
		var l holdLine
		must(t, json.Unmarshal([]byte(line), &l))
		if slices.Contains(ops, l.Op) {
			all = append(all, l)
		}
	}
	return all
}

// inQuarantine are the files there, by name, with their states.
func (s *server) inQuarantine(t *testing.T) map[string]string {
	t.Helper()
	var list []struct{ Name, State string }
	must(t, json.Unmarshal([]byte(s.operate(t, "quarantine", "list", "--json")), &list))
	all := make(map[string]string)
	for _, i := range list {
		all[i.Name] = i.State
	}
	return all
}

// TestHold has real clients upload to a gate that takes long. They are answered at once
// and content with that, nobody sees a file, and kill -9 loses none of them. After the
// verdict each is there byte for byte, and what was refused is in quarantine.
func TestHold(t *testing.T) {
	t.Parallel()
	s, allow := heldBack(t, "quarantine = true")
	local := filepath.Join(s.dir, "local")
	text := content(7, 300_000) // enough for temporary names
	must(t, os.WriteFile(local, text, 0o640))
	stamp := time.Unix(1_600_000_000, 0)
	must(t, os.Chtimes(local, stamp, stamp))
	clients := gateClients(s, local, "")
	want := make(map[string]bool) // whether the time is kept
	for client := range clients {
		need(t, strings.Fields(client)[0])
		name := strings.ReplaceAll(client, " ", "")
		s.put(t, name+"-old", []byte("old"))
		for _, target := range []string{name + "-new", name + "-old"} {
			if out, err := gateClients(s, local, target)[client].CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", target, err, out)
			}
			want[target] = client == "rclone" || client == "shelf"
		}
	}
	for name, command := range s.otherHoldClients(local) {
		need(t, command.Path)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		want[name] = true
	}
	ada := s.dial(t)
	must(t, ada.upload("bad", []byte("EVIL")))

	unseen := func() {
		t.Helper()
		bob, err := s.connectAs("bob")
		must(t, err)
		defer bob.close()
		list, err := bob.ReadDir("/")
		must(t, err)
		for _, i := range list {
			if !strings.HasSuffix(i.Name(), "-old") || i.Size() != 3 {
				t.Errorf("bob sees %s, %d bytes", i.Name(), i.Size())
			}
		}
		for name := range want {
			if strings.HasSuffix(name, "-old") {
				continue
			}
			_, err := bob.Stat("/" + name)
			_, err2 := bob.Open("/" + name)
			if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err2, fs.ErrNotExist) {
				t.Errorf("%s: bob's STAT says %v, OPEN %v", name, err, err2)
			}
		}
		for name := range want {
			if i, err := ada.Stat("/" + name); err != nil || i.Size() != int64(len(text)) {
				t.Errorf("%s: STAT of its account says %v", name, err)
			}
			if held := s.inQuarantine(t)[name]; held != "held" {
				t.Errorf("%s is in quarantine as %q", name, held)
			}
		}
	}
	unseen()
	if _, err := ada.Open("/sftp-new"); err == nil || !strings.Contains(err.Error(), "waits for the verdict of a check") {
		t.Errorf("its account reads it: %v", err)
	}
	receipt := func() (string, error) {
		out, err := exec.Command("ssh", "-F", s.config, "shelf", "receipt", "sftp-new").CombinedOutput()
		return string(out), err
	}
	if out, err := receipt(); err == nil || !strings.Contains(out, "waits for the verdict of a check") {
		t.Errorf("a receipt: %v\n%s", err, out)
	}
	if status := s.operate(t, "status"); !strings.Contains(status, fmt.Sprintf("in: %d files with", len(want)+1)) {
		t.Errorf("the status does not tell: %s", status)
	}
	s.killed(t)
	ada = s.dial(t)
	unseen()
	allow()
	eventually(t, "all are judged", func() bool { return len(s.inQuarantine(t)) == 1 })
	for name, timed := range want {
		if got := s.get(t, name); string(got) != string(text) {
			t.Errorf("%s has %d bytes", name, len(got))
		}
		i, err := os.Stat(filepath.Join(s.library, name))
		must(t, err)
		if timed && !i.ModTime().Equal(stamp) {
			t.Errorf("%s is of %s", name, i.ModTime())
		}
	}
	if _, err := os.Stat(filepath.Join(s.library, "bad")); err == nil {
		t.Error("what was refused is published")
	}
	if got := s.inQuarantine(t); len(got) != 1 || got["bad"] != "refused" {
		t.Errorf("in quarantine are %v", got)
	}
	if out, err := receipt(); err != nil {
		t.Errorf("a receipt: %v\n%s", err, out)
	}
	s.everyHoldEnds(t)
	s.keepsToTheSchema(t)
}

// TestHoldOverABucket does it with a library in a bucket, over kill -9.
func TestHoldOverABucket(t *testing.T) {
	t.Parallel()
	oneServer(t, "what a server holds, and what it tells of that")
	dir := t.TempDir()
	permit := filepath.Join(dir, "permit")
	socket := keeperOf(t, `until [ -e `+permit+` ]; do sleep 0.05; done; if grep -q EVIL; then echo evil; exit 1; fi`)
	s := serveGateOverABucket(t, dir, "mode = \"hold\"\nsocket = \"unix:"+socket+"\"\n")
	large := content(3, 20<<20)
	for name, text := range map[string][]byte{"small": []byte("fine"), "large": large, "bad": []byte("EVIL")} {
		must(t, s.dial(t).upload(name, text))
	}
	s.killed(t)
	c := s.dial(t)
	if list, err := c.ReadDir("/"); err != nil || len(list) > 0 {
		t.Errorf("there are %v, %v", list, err)
	}
	must(t, os.WriteFile(permit, nil, 0o600))
	eventually(t, "all are judged", func() bool { return len(s.inQuarantine(t)) == 0 })
	for name, want := range map[string]string{"small": "fine", "large": string(large)} {
		f, err := c.Open("/" + name)
		must(t, err)
		if got, err := io.ReadAll(f); err != nil || string(got) != want {
			t.Errorf("%s has %d bytes, %v", name, len(got), err)
		}
	}
	if list, err := c.ReadDir("/"); err != nil || len(list) != 2 {
		t.Errorf("there are %v, %v", list, err)
	}
	s.everyHoldEnds(t)
}

// TestHoldOverAnUpgrade has a second server take over from the first, with what that holds.
func TestHoldOverAnUpgrade(t *testing.T) {
	t.Parallel()
	s, allow := heldBack(t)
	must(t, s.dial(t).upload("first", []byte("first")))
	o, err := s.another(1)
	must(t, err)
	stopAtEnd(t, o)
	c := o.dial(t)
	must(t, c.upload("second", []byte("second")))
	if _, err := c.Stat("/first"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the second server has taken what the first one holds: %v", err)
	}
	must(t, s.stop())
	eventually(t, "the second server has it", func() bool { return second(c.Stat("/first")) == nil })
	if got := files(t, s.library); len(got) > 0 {
		t.Errorf("published are %q", got)
	}
	allow()
	for _, name := range []string{"first", "second"} {
		eventually(t, "it is published", func() bool { return second(os.Stat(filepath.Join(s.library, name))) == nil })
		if got := s.get(t, name); string(got) != name {
			t.Errorf("%s has %q", name, got)
		}
	}
}

// TestHoldWithoutVerdict has no scanner for a while: what came meanwhile waits, the operator
// is told, and it is judged when the scanner is there and the settings are read again.
func TestHoldWithoutVerdict(t *testing.T) {
	t.Parallel()
	oneServer(t, "what a server holds, and what it tells of that")
	dir := t.TempDir()
	link := filepath.Join(dir, "gate.sock")
	s, err := startConfigured(dir, gateConfig(`mode = "hold"`, `socket = "unix:`+link+`"`))
	must(t, err)
	stopAtEnd(t, s)
	must(t, s.dial(t).upload("a", []byte("text")))
	eventually(t, "the operator is told", func() bool {
		return strings.Contains(s.operate(t, "status"), "PROBLEM: library in: of the files that wait for their verdict, 1 could not be judged")
	})
	var list []struct {
		State, Reason string
		Tries         int
	}
	must(t, json.Unmarshal([]byte(s.operate(t, "quarantine", "list", "--json")), &list))
	if len(list) != 1 || list[0].State != "held" || list[0].Tries == 0 || !strings.Contains(list[0].Reason, "could not be checked") || strings.Contains(list[0].Reason, dir) {
		t.Errorf("in quarantine are %+v", list)
	}
	if got := files(t, s.library); len(got) > 0 || len(s.lines(t, "put")) > 0 {
		t.Errorf("published are %q, told is %v", got, s.lines(t, "put"))
	}
	must(t, os.Symlink(keeperOf(t, "true"), link))
	s.reload(t, "the configuration was reloaded")
	eventually(t, "it is published", func() bool { return len(s.inQuarantine(t)) == 0 })
	if string(s.get(t, "a")) != "text" || s.gateEvents(t)["a"] != "passed ok" {
		t.Errorf("told is %v", s.lines(t, "put"))
	}
	s.everyHoldEnds(t)
}

// otherHoldClients copy a file to the name of the program, with its time.
func (s *server) otherHoldClients(local string) map[string]*exec.Cmd {
	python := fmt.Sprintf(`
import os, paramiko
host, port = %q.split(":")
t = paramiko.Transport((host, int(port)))
t.connect(username=%q, pkey=paramiko.Ed25519Key.from_private_key_file(%q))
s = paramiko.SFTPClient.from_transport(t)
s.put(%q, "python3")
s.utime("python3", (1600000000, 1600000000))
s.chmod("python3", 0o600)
assert s.stat("python3").st_mtime == 1600000000
t.close()
`, s.addr, user, s.identity, local)
	return map[string]*exec.Cmd{
		"lftp":    exec.Command("lftp", "-e", "set net:max-retries 1; set sftp:connect-program 'ssh -a -x -F "+s.config+"'; open sftp://"+user+":@shelf && put "+local+" -o lftp && quit 0; quit 1"),
		"sftp-p":  sftpBatch(s, "put -p "+local+" sftp-p\n"),
		"python3": exec.Command("/usr/bin/python3", "-c", python),
	}
}

// everyHoldEnds looks for the one line of a put, or of an operator, that each line of a
// hold is followed by, from the same connection.
func (s *server) everyHoldEnds(t *testing.T) {
	t.Helper()
	ends := make(map[string]holdLine)
	held := make(map[string]holdLine)
	for _, l := range s.lines(t, "hold", "put", "discard") {
		if l.Note == "" {
			continue // refused at once
		}
		if l.Op == "hold" {
			held[l.Note] = l
			continue
		}
		begun, ok := held[l.Note]
		if _, twice := ends[l.Note]; twice || !ok || l.Account != begun.Account || l.Conn != "" && (l.Conn != begun.Conn || l.Key != begun.Key || l.Source != begun.Source) {
			t.Errorf("%+v ends %+v", l, begun)
		}
		ends[l.Note] = l
	}
	for id, l := range held {
		if _, ok := ends[id]; !ok || l.Gate != "held" {
			t.Errorf("there is no end of %+v", l)
		}
	}
}

// TestHoldForClients does to names that wait what clients do.
func TestHoldForClients(t *testing.T) {
	t.Parallel()
	s, allow := heldBack(t)
	ada := s.dial(t)
	other := s.dial(t) // clients have several connections
	bob, err := s.connectAs("bob")
	must(t, err)
	defer bob.close()
	fails := func(what string, err error, why string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, and not %q", what, err, why)
		}
	}
	must(t, ada.upload("a.AbCdEfGh.partial", []byte("renamed")), other.PosixRename("/a.AbCdEfGh.partial", "/a"))
	must(t, ada.upload("b", []byte("gone")), other.Remove("/b"))
	must(t, ada.upload("c", []byte("first")), other.upload("c", []byte("second")))
	must(t, ada.upload("d", []byte("bobs")), bob.upload("d", []byte("both")))
	s.put(t, "old", []byte("old"))
	fails("RENAME to a name that is taken", ada.Rename("/a", "/old"), "exists")
	fails("RENAME to a name that waits", ada.Rename("/old", "/a"), "exists")
	fails("RENAME by another", bob.PosixRename("/a", "/z"), "not exist")
	fails("REMOVE by another", bob.Remove("/a"), "not exist")
	_, err = ada.OpenFile("/a", os.O_WRONLY)
	fails("OPEN to change it", err, "waits for the verdict")
	_, err = ada.OpenFile("/a", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	fails("OPEN of a new one", err, "exists")
	fails("SETSTAT of its size", ada.Truncate("/a", 3), "waits for the verdict")
	must(t, ada.Chmod("/a", 0o600), ada.Rename("/a", "/e"))
	if got := files(t, s.library); !slices.Equal(got, []string{"old"}) {
		t.Errorf("published are %q", got)
	}
	allow()
	eventually(t, "all are judged", func() bool { return len(s.inQuarantine(t)) == 0 })
	for name, want := range map[string]string{"c": "second", "d": "both", "e": "renamed", "old": "old"} {
		if got := s.get(t, name); string(got) != want {
			t.Errorf("%s has %q", name, got)
		}
	}
	if i, err := os.Stat(filepath.Join(s.library, "e")); err != nil || i.Mode() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	if got := files(t, s.library); len(got) != 4 {
		t.Errorf("published are %q", got)
	}
	s.everyHoldEnds(t)
	s.keepsToTheSchema(t)
}

// TestHoldForOperators releases and drops what waits, has an account lose its right, and
// another go.
func TestHoldForOperators(t *testing.T) {
	t.Parallel()
	s, allow := heldBack(t, `on_error = "refuse"`)
	ada := s.dial(t)
	bob, err := s.connectAs("bob")
	must(t, err)
	for _, name := range []string{"released", "dropped", "stays"} {
		must(t, ada.upload(name, []byte(name)))
	}
	must(t, bob.upload("bobs", []byte("bobs")))
	ids := make(map[string]string)
	var list []struct{ ID, Name string }
	must(t, json.Unmarshal([]byte(s.operate(t, "quarantine", "list", "--json")), &list))
	for _, i := range list {
		ids[i.Name] = i.ID
	}
	s.operate(t, "quarantine", "release", ids["released"])
	s.operate(t, "quarantine", "drop", ids["dropped"])
	if got := files(t, s.library); !slices.Equal(got, []string{"released"}) {
		t.Errorf("published are %q", got)
	}
	file := filepath.Join(s.dir, "shelfd.toml")
	config := string(slurp(t, file))
	config = strings.Replace(config, "[accounts.bob]\nauthorized_keys_file = \"id.pub\"\nlibrary = \"in\"\npermissions = [\"admin\"]\n", "", 1)
	config = strings.Replace(config, `permissions = ["admin"]`, `permissions = ["list"]`, 1)
	must(t, os.WriteFile(file, []byte(config), 0o600))
	s.reload(t, "the configuration was reloaded")
	allow()
	eventually(t, "all are judged", func() bool { return len(s.inQuarantine(t)) == 0 })
	told := make(map[string]string)
	for _, l := range s.lines(t, "put") {
		told[l.Name] = strings.TrimSpace(l.Gate + " " + l.Result + " " + l.Reason)
	}
	for name, want := range map[string]string{
		"released": "released ok", "stays": "refused this account may not upload files", "bobs": "passed refused this account does not exist any more",
	} {
		if told[name] != want {
			t.Errorf("%s: told is %q", name, told[name])
		}
	}
	if got := files(t, s.library); !slices.Equal(got, []string{"released"}) {
		t.Errorf("published are %q", got)
	}
	s.everyHoldEnds(t)
}
