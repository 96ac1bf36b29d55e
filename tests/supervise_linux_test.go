package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUpgradeThatFails: if the new server does not start, or starts and can't do its
// work, the old one goes on, and operators reach it as before.
func TestUpgradeThatFails(t *testing.T) {
	s := supervise(t, upgradable)
	old := s.pid(t)
	for story, c := range map[string]struct{ line, reason string }{
		"it does not start":   {"no_such_setting = 1\n", "has not started"},
		"it is not healthy":   {"min_free_space = \"1000TiB\"\n", "is not healthy: library"},
		"it stops on the way": {"admin_listen = \"192.0.2.1:1\"\n", "has not started"},
	} {
		s.configure(t, c.line+upgradable)
		out, err := s.tryOperate("upgrade")
		if err == nil || !strings.Contains(out, c.reason) || !strings.Contains(out, "the old one goes on") {
			t.Errorf("%s: %v\n%s", story, err, out)
		}
		if now := s.pid(t); now != old {
			t.Errorf("%s: %d answers, and not %d", story, now, old)
		}
		s.mustServe(t)
	}
	s.configure(t, upgradable)
	if _, err := s.upgrade(); err != nil {
		t.Fatal(err)
	}
	if now := s.pid(t); now == old {
		t.Error("the old server still answers")
	}
	s.mustServe(t)
}

// TestSupervisorStartsAgain: a server that dies is followed by another on the same
// socket, and SIGHUP reaches the one that serves.
func TestSupervisorStartsAgain(t *testing.T) {
	s := supervise(t, upgradable)
	old := s.pid(t)
	must(t, syscall.Kill(old, syscall.SIGKILL))
	s.mustServe(t) // the socket stays open: who connects meanwhile waits
	if now := s.pid(t); now == old {
		t.Error("the dead one answers")
	}
	s.reload(t, "the configuration was reloaded")
}

// TestOneSupervisor: a second one on the same state folder would answer in the place of
// the first.
func TestOneSupervisor(t *testing.T) {
	s := supervise(t, upgradable)
	out, err := s.tryOperate("supervise", "--config", filepath.Join(s.dir, "shelfd.toml"), "--listen", "127.0.0.1:0")
	if err == nil || !strings.Contains(out, "another supervisor answers") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := s.upgrade(); err != nil {
		t.Error(err)
	}
}

// TestUpgradeOfNothing: a server that was started on its own can't be upgraded, and
// who tries is told how it can be started.
func TestUpgradeOfNothing(t *testing.T) {
	s := serve(t)
	out, err := s.tryOperate("upgrade")
	if err == nil || !strings.Contains(out, "shelfd supervise") {
		t.Errorf("%v\n%s", err, out)
	}
	s.mustServe(t)
}

// configure writes the configuration of the next server.
func (s *server) configure(t *testing.T, toml string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(s.dir, "shelfd.toml"), []byte(toml), 0o600))
}

// pid is the process that answers operators.
func (s *server) pid(t *testing.T) int {
	t.Helper()
	var status struct{ PID int }
	must(t, json.Unmarshal([]byte(s.operate(t, "status", "--json")), &status))
	return status.PID
}

// mustServe puts a file and gets it.
func (s *server) mustServe(t *testing.T) {
	t.Helper()
	c := s.dial(t)
	defer c.close()
	must(t, putRandom(c, "served", 1, 100<<10))
	must(t, getRandom(c, "served", 1, 100<<10))
}
