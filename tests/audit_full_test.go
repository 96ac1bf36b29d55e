package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestAuditDiskFills has the disk of the audit log fill while clients upload, and
// gives it room again. With "refuse" no upload that was told OK is without its line,
// and nobody logs in. With "continue" all goes on, the log says that lines are
// missing, and the lines say how many. Either way every line is whole afterwards.
func TestAuditDiskFills(t *testing.T) {
	oneServer(t, "the disk of one audit log")
	for _, policy := range []string{"refuse", "continue"} {
		t.Run(policy, func(t *testing.T) { auditDiskFills(t, policy) })
	}
}

func auditDiskFills(t *testing.T, policy string) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "log")
	must(t, os.Mkdir(folder, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	s := serveIn(t, dir, fmt.Sprintf(`
		audit_log = "log/audit"
		audit_on_failure = %q
		library = "library"
		[accounts.ada]
		authorized_keys_file = "id.pub"`, policy))

	up := uploaders{done: make(chan struct{}), acknowledged: make(map[string]bool)}
	end := sync.OnceFunc(func() { close(up.done) })
	t.Cleanup(end) // also after a failure: what goes on in vain would slow the tests that follow
	for n := range 4 {
		c := s.dial(t)
		up.group.Go(func() { up.upload(c, n) })
	}
	up.awaitMore(t, &up.ok)
	ballast := filepath.Join(folder, "ballast")
	fillDisk(t, ballast)
	start := time.Now()
	eventually(t, "the log says that lines are missing", func() bool {
		return strings.Contains(s.stderr.String(), "events are not recorded: the audit log cannot be written")
	})
	s.tells(t, "health", true, `audit.*cannot be recorded|audit.*no space`)
	s.tells(t, "status", false, `recorded.*no space`)
	t.Logf("all tell after %s", time.Since(start))
	if policy == "refuse" {
		up.awaitMore(t, &up.refused)
		if c, err := s.connect(); err == nil {
			c.close()
			t.Error("somebody logs in")
		}
	} else {
		up.awaitMore(t, &up.ok)
		if c, err := s.connect(); err != nil {
			t.Error(err)
		} else {
			c.close()
		}
	}
	must(t, os.Remove(ballast))
	up.awaitMore(t, &up.ok)
	s.tells(t, "health", false, `audit`)
	end()
	up.group.Wait()
	must(t, s.stop())
	up.judge(t, filepath.Join(folder, "audit"), policy)
}

// tells waits until a command that asks the server says something.
func (s *server) tells(t *testing.T, command string, fails bool, pattern string) {
	t.Helper()
	said := regexp.MustCompile(pattern)
	eventually(t, command+" says "+pattern, func() bool {
		out, err := exec.Command("shelfd", command, "--state", s.state).CombinedOutput()
		return (err != nil) == fails && said.Match(out)
	})
}

// uploaders upload small files until done.
type uploaders struct {
	done        chan struct{}
	group       sync.WaitGroup
	ok, refused atomic.Int64

	mu           sync.Mutex
	acknowledged map[string]bool // mu
}

func (u *uploaders) upload(c *client, number int) {
	for n := 0; ; n++ {
		select {
		case <-u.done:
			return
		default:
		}
		name := fmt.Sprintf("file-%d-%d", number, n)
		f, err := c.Create(name)
		if err == nil {
			_, err = f.Write([]byte(name))
			if e := f.Close(); err == nil {
				err = e
			}
		}
		if err != nil {
			u.refused.Add(1)
			continue
		}
		u.ok.Add(1)
		u.mu.Lock()
		u.acknowledged[name] = true
		u.mu.Unlock()
	}
}

func (u *uploaders) awaitMore(t *testing.T, count *atomic.Int64) {
	t.Helper()
	before := count.Load()
	eventually(t, "the clients go on", func() bool { return count.Load() > before+30 })
}

func fillDisk(t *testing.T, ballast string) {
	t.Helper()
	f, err := os.Create(ballast)
	must(t, err)
	defer f.Close()
	for block := 64 << 10; block > 0; {
		if _, err := f.Write(make([]byte, block)); err != nil {
			block /= 2
		}
	}
}

// judge looks at the log.
func (u *uploaders) judge(t *testing.T, log, policy string) {
	t.Helper()
	schema, _, _ := schemaOf(t)
	recorded, lost, logins := make(map[string]bool), 0, 0
	for line := range strings.Lines(readText(t, log)) {
		event, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = schema.Validate(event)
		}
		if err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		var e struct {
			Op, Result, Name string
			Lines            int
		}
		must(t, json.Unmarshal([]byte(line), &e))
		if e.Op == "put" && e.Result == "ok" {
			recorded[e.Name] = true
		}
		if e.Op == "login" {
			logins++
		}
		lost += e.Lines
	}
	missing := 0
	for name := range u.acknowledged {
		if !recorded[name] {
			missing++
		}
	}
	t.Logf("%d uploads were acknowledged, %d are recorded; %d lines are missing, of them %d of these uploads", len(u.acknowledged), len(recorded), lost, missing)
	switch {
	case lost == 0:
		t.Error("no line is missing: the disk was not full")
	case policy == "refuse" && missing > 0:
		t.Errorf("%d uploads were acknowledged and are not recorded", missing)
	case policy == "continue" && (missing == 0 || missing > lost):
		t.Errorf("of %d lines that are missing %d are of uploads that were acknowledged", lost, missing)
	}
	if policy == "refuse" && logins != 4 {
		t.Errorf("%d logins are recorded", logins)
	}
}
