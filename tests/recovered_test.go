package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// auditLine is what the tests want to know of a line of the audit log.
type auditLine struct {
	Seq                                                   uint64
	Op, Result, Account, Library, Name, Version, Conn, ID string
	Size                                                  int64
}

// auditLines are those of an operation.
func auditLines(t *testing.T, file, op string) (all []auditLine) {
	t.Helper()
	for line := range bytes.Lines(slurp(t, file)) {
		var l auditLine
		if json.Unmarshal(line, &l) == nil && l.Op == op {
			all = append(all, l)
		}
	}
	return all
}

// killedAtSync runs what is killed with the server, when it syncs the folder of the
// library: then the name is there, and no line of it yet.
func (s *server) killedAtSync(t *testing.T, do func(c *client) error) {
	t.Helper()
	c := s.dial(t)
	end := s.strace(t, "-P", s.library, "-e", "trace=fsync", "-e", "inject=fsync:signal=KILL")
	if err := do(c); err == nil {
		t.Error("the client was told that it was done")
	}
	<-s.exited
	end()
}

// TestRecoveredLines kills the server between the rename that publishes a file and
// the line of it. The next start writes the line, and none for what has one.
func TestRecoveredLines(t *testing.T) {
	oneServer(t, "what only a server that is alone on a library can tell")
	t.Parallel()
	need(t, "strace")
	dir := t.TempDir()
	log := filepath.Join(dir, "log", "audit.jsonl")
	s := startReceipts(t, dir, withReceipts)
	c := s.dial(t)
	for _, name := range []string{"before", "replaced", "old-name", "touched"} {
		if err := c.upload(name, []byte("as before")); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Chmod("touched", 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(t, "foreign", []byte("put there by another program"))
	s.killedAtSync(t, func(c *client) error { return c.upload("new", []byte("new")) })

	restart := func(lines int) (all []auditLine) {
		t.Helper()
		s = startReceipts(t, dir, withReceipts)
		eventually(t, "the lines are there", func() bool {
			all = auditLines(t, log, "recovered")
			return len(all) >= lines
		})
		return all
	}
	is := func(l auditLine, name string, size int64) {
		t.Helper()
		if l.Account != user || l.Library != "in" || l.Name != name || l.Size != size || l.Result != "ok" || l.Conn != "" || len(l.Version) != 16 {
			t.Errorf("the line of %s is %+v", name, l)
		}
	}
	is(restart(1)[0], "new", 3)
	s.noReceipt(t, user, "new", "no receipt")
	s.killedAtSync(t, func(c *client) error { return c.upload("replaced", []byte("replaced")) })
	is(restart(2)[1], "replaced", 8)
	s.killedAtSync(t, func(c *client) error { return c.Rename("old-name", "new-name") })
	is(restart(3)[2], "new-name", 9)

	// A removal has none, nor has the next start after a stop.
	s.killedAtSync(t, func(c *client) error { return c.Remove("before") })
	s = startReceipts(t, dir, withReceipts)
	const looked = "after a crash: the audit log has a line of each file again"
	eventually(t, "it has looked", func() bool { return strings.Contains(s.stderr.String(), looked) })
	if err := s.dial(t).upload("after", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.put(t, "after", []byte("changed while no server ran"))
	s = startReceipts(t, dir, withReceipts)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.stderr.String(), "after a crash") {
		t.Error("it looks after a stop, too")
	}
	if all := auditLines(t, log, "recovered"); len(all) != 3 {
		t.Errorf("%d lines: %+v", len(all), all)
	}
	if out, err := exec.Command("shelfd", "audit", "verify", "--state", s.state, log).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	schema, _, _ := schemaOf(t)
	for line := range strings.Lines(string(slurp(t, log))) {
		var event any
		if err := json.Unmarshal([]byte(line), &event); err == nil {
			if err := schema.Validate(event); err != nil {
				t.Errorf("%v: %s", err, line)
			}
		}
	}
}

// TestRecoveredNothingBesideAnother has another server publish in the same library:
// what that did is not taken for what was lost here.
func TestRecoveredNothingBesideAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "log", "audit.jsonl")
	s := startReceipts(t, dir, withReceipts)
	if err := s.dial(t).upload("mine", nil); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Kill()
	<-s.exited
	if err := os.WriteFile(filepath.Join(dir, "other.toml"), []byte(strings.Replace(withReceipts, "audit.jsonl", "other.jsonl", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := newServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.start([]string{"--config", filepath.Join(dir, "other.toml")}); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, other)
	if err := other.dial(t).upload("theirs", nil); err != nil {
		t.Fatal(err)
	}
	s = serveReceipts(t, dir, withReceipts)
	eventually(t, "the log says that it cannot be told", func() bool {
		return strings.Contains(s.stderr.String(), "another server publishes here, too")
	})
	if all := auditLines(t, log, "recovered"); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
