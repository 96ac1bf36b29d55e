package tests

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTimesOutOfRange: SFTP has 32 bits for a time. A file that is dated earlier
// or later had one time in a listing and another in STAT.
func TestTimesOutOfRange(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	for name, dated := range map[string]struct{ on, seen time.Time }{
		"earlier": {time.Unix(-86400*365, 0), time.Unix(0, 0)},
		"before":  {time.Unix(-1, 0), time.Unix(0, 0)},
		"last":    {time.Unix(math.MaxUint32, 0), time.Unix(math.MaxUint32, 0)},
		"after":   {time.Unix(math.MaxUint32+1, 0), time.Unix(math.MaxUint32, 0)},
		"later":   {time.Date(2400, 1, 2, 3, 4, 5, 0, time.UTC), time.Unix(math.MaxUint32, 0)},
	} {
		s.put(t, name, []byte(name))
		date(t, filepath.Join(s.library, name), dated.on)
		f, err := c.Open(name)
		must(t, err)
		for what, look := range map[string]func() (os.FileInfo, error){
			"STAT":  func() (os.FileInfo, error) { return c.Stat(name) },
			"LSTAT": func() (os.FileInfo, error) { return c.Lstat(name) },
			"FSTAT": f.Stat,
			"READDIR": func() (found os.FileInfo, err error) {
				entries, err := c.ReadDir("/")
				for _, e := range entries {
					if e.Name() == name {
						found = e
					}
				}
				return found, err
			},
		} {
			i, err := look()
			if err != nil || !i.ModTime().Equal(dated.seen) {
				t.Errorf("%s of %s: %v, %v; want %v", what, name, i.ModTime(), err, dated.seen)
			}
		}
		must(t, f.Close())
	}
}

// TestSCPOfAFarDate copies a file dated 2400, and one of 1950, from one of our
// servers to another: the first sent a time that the second took for an error.
func TestSCPOfAFarDate(t *testing.T) {
	need(t, "scp")
	from, to := serve(t), serve(t)
	config := filepath.Join(t.TempDir(), "ssh_config")
	must(t, os.WriteFile(config, append(append([]byte("Host from\nHostKeyAlias from\n"), afterHost(t, from)...), append([]byte("Host to\nHostKeyAlias to\n"), afterHost(t, to)...)...), 0o600))
	for name, dated := range map[string]struct{ on, seen time.Time }{
		"later":   {time.Date(2400, 1, 2, 3, 4, 5, 0, time.UTC), time.Unix(math.MaxUint32, 0)},
		"earlier": {time.Date(1950, 1, 2, 3, 4, 5, 0, time.UTC), time.Unix(0, 0)},
	} {
		from.put(t, name, []byte(name))
		date(t, filepath.Join(from.library, name), dated.on)
		if out, err := exec.Command("scp", "-3", "-O", "-p", "-F", config, "from:"+name, "to:").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
			continue
		}
		if got := string(to.get(t, name)); got != name {
			t.Errorf("%s holds %q", name, got)
		}
		if i, err := os.Stat(filepath.Join(to.library, name)); err != nil || !i.ModTime().Equal(dated.seen) {
			t.Errorf("%s is of %v, want %v: %v", name, i.ModTime(), dated.seen, err)
		}
	}
}

// afterHost is the ssh_config of a server without its first line.
func afterHost(t *testing.T, s *server) []byte {
	t.Helper()
	_, rest, _ := strings.Cut(string(slurp(t, s.config)), "\n")
	return []byte(rest)
}

// date sets a file's time. os.Chtimes ends in 2262. Where the file system cannot
// hold the time the test is skipped.
func date(t *testing.T, file string, when time.Time) {
	t.Helper()
	ts := syscall.NsecToTimespec(0)
	ts.Sec = when.Unix()
	must(t, syscall.UtimesNano(file, []syscall.Timespec{ts, ts}))
	if i, err := os.Stat(file); err != nil || !i.ModTime().Equal(when) {
		t.Skipf("the file system here has no such time: %v, %v", i.ModTime(), err)
	}
}
