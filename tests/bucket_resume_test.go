package tests

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shelf/tests/objectstore"
)

// nodes are servers of a library in a bucket, each with a state folder of its own, and
// all with the same host keys.
type nodes struct {
	all   []*server
	proxy *objectstore.Proxy
}

func startNodes(t *testing.T, n int, args ...string) *nodes {
	t.Helper()
	need(t, objectstore.Program)
	dir := t.TempDir()
	first, err := newServer(dir)
	must(t, err)
	store, err := objectstore.Start(dir, "")
	must(t, err)
	t.Cleanup(store.Stop)
	proxy, err := objectstore.NewProxy(store.URL)
	must(t, err)
	t.Cleanup(proxy.Close)
	must(t, first.configureBucket(proxy.URL))
	c := &nodes{proxy: proxy}
	for len(c.all) < n {
		s := first
		if len(c.all) > 0 {
			s, err = newServer(dir)
			must(t, err)
			s.config += "-" + strconv.Itoa(len(c.all))
			s.state += "-" + strconv.Itoa(len(c.all))
			s.copyHostKeys(t, first)
		}
		must(t, s.start(append([]string{"--config", filepath.Join(dir, "shelfd.toml")}, args...)))
		t.Cleanup(func() { s.stop() })
		c.all = append(c.all, s)
	}
	return c
}

// copyHostKeys gives a server that has not started the host keys of another one.
func (s *server) copyHostKeys(t *testing.T, from *server) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from.state, "ssh_host_*"))
	must(t, err, os.MkdirAll(s.state, 0o700))
	for _, file := range files {
		must(t, os.WriteFile(filepath.Join(s.state, filepath.Base(file)), slurp(t, file), 0o600))
	}
}

// TestResumeOnAnotherServer cuts an upload off, by the loss of the connection or the
// death of the server. The client connects again, to another server, which asks it for
// what is missing and for no more.
func TestResumeOnAnotherServer(t *testing.T) {
	t.Parallel()
	size := int64(96 << 20)
	if *torture {
		size = 1 << 30
	}
	whole := content(3, size)
	for _, how := range []string{"connection lost", "server killed"} {
		t.Run(how, func(t *testing.T) {
			c := startNodes(t, 2)
			l := newLink(t, c.all[0].addr, 0)
			near := *c.all[0]
			near.addr = l.addr
			source := filepath.Join(t.TempDir(), "big")
			must(t, os.WriteFile(source, whole, 0o644))
			const far = 1 << 50
			cut := size * 2 / 3
			lost := int64(4 << 20) // on their way
			if how == "server killed" {
				lost = 6 * 16 << 20 // parts that were not sent
				if !*torture {
					lost /= 2
				}
			}
			l.after(cut, func() {
				if how == "server killed" {
					recorded(t, c.all[0].library, cut-lost)
					c.all[0].cmd.Process.Kill()
				}
				l.redirect(c.all[1].addr)
				l.after(far, func() {})
				l.cut()
			})
			said, err := shelfCommand(&near, "put", "--json", source).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			sent, at := far-l.rest(), int64(wentOnAfter(said))
			t.Logf("of %d bytes %d had arrived when it was cut; it went on after %d, and %d bytes passed then", size, cut, at, sent)
			if at < cut-lost {
				t.Errorf("it went on after %d bytes of %d", at, cut)
			}
			if missing := size - at; sent > missing+missing/50+1<<20 {
				t.Errorf("%d bytes were missing, and %d were sent", missing, sent)
			}
			if got := digest(t, filepath.Join(c.all[0].library, "big")); got != sha256.Sum256(whole) {
				t.Error("what was gone on with is not the file")
			}
		})
	}
}

// recorded waits until others can know of so many bytes of an upload.
func recorded(t *testing.T, bucket string, n int64) {
	t.Helper()
	eventually(t, "the parts are recorded", func() bool {
		files, err := filepath.Glob(filepath.Join(bucket, ".shelf", "partial", "*", "*"))
		if err != nil || len(files) != 1 {
			return false
		}
		text, err := os.ReadFile(files[0])
		var r struct{ Parts []string }
		return err == nil && json.Unmarshal(text, &r) == nil && int64(len(r.Parts))*8<<20 >= n
	})
}

// TestUncertainIsTold loses the answer of the store for good. The client is told that it
// is not known what was done, and so is the audit log; what is there is whole.
func TestUncertainIsTold(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "audit")
	c := startNodes(t, 1, "--audit-log", log)
	s := c.all[0]
	lose := func(method, name string) {
		lost := false
		c.proxy.SpoilBy(func(r *http.Request) objectstore.Fault {
			switch {
			case lost:
				return objectstore.Unavailable
			case r.Method == method && strings.HasSuffix(r.URL.Path, "/"+name):
				lost = true
				return objectstore.CutAfter // it is done
			}
			return objectstore.None
		})
	}
	text := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(text, []byte("text"), 0o644))

	lose(http.MethodPut, "f")
	out, err := sftpBatch(s, "put "+text).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not known whether the file was published") {
		t.Errorf("sftp put: %v\n%s", err, out)
	}
	c.proxy.SpoilBy(nil)
	if got := string(s.get(t, "f")); got != "text" {
		t.Errorf("it holds %q", got)
	}

	client := s.dial(t)
	lose(http.MethodPut, "g")
	if err := client.Rename("f", "g"); err == nil || !strings.Contains(err.Error(), "not known whether") {
		t.Errorf("rename: %v", err)
	}
	c.proxy.SpoilBy(nil)
	if got := string(s.get(t, "g")); got != "text" {
		t.Errorf("the new name has %q", got)
	}

	lines := readText(t, log)
	for _, op := range []string{"put", "rename"} {
		found := false
		for line := range strings.Lines(lines) {
			found = found || strings.Contains(line, `"op":"`+op+`"`) && strings.Contains(line, `"result":"uncertain"`) &&
				strings.Contains(line, "not known whether")
		}
		if !found {
			t.Errorf("the audit log does not say that it is not known what became of the %s:\n%s", op, lines)
		}
	}
}
