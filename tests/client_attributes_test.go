package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIsWritable: phpseclib's is_writable opens the file for writing and never
// closes it. What it then changed by name was acknowledged, and undone when it
// went.
func TestIsWritable(t *testing.T) {
	s := serve(t)
	s.put(t, "file", []byte("0123456789"))
	out, err := s.snippet(t, phpseclib3, nil, `
$s = new phpseclib3\Net\SFTP(getenv("HOST"), (int)getenv("PORT"));
$s->login(getenv("ACCOUNT"), phpseclib3\Crypt\PublicKeyLoader::load(file_get_contents(getenv("ID")))) or exit(1);
$s->is_writable("file") or exit(2);
$s->truncate("file", 4) or exit(3);
$s->chmod(0640, "file") or exit(4);
$s->touch("file", 1000000000) or exit(5);
echo $s->stat("file")["size"];`)
	if err != nil || out != "4" {
		t.Errorf("%v, it sees a size of %s", err, out)
	}
	s.isChanged(t)
}

// TestAttributesBesideAnOpenFile is the same in exact requests; and what was
// written through the handle stays with the handle.
func TestAttributesBesideAnOpenFile(t *testing.T) {
	when := time.Unix(1_000_000_000, 0)
	t.Run("nothing written", func(t *testing.T) {
		for _, end := range []string{"close the connection", "cut it"} {
			s := serve(t)
			s.put(t, "file", []byte("0123456789"))
			c := s.dial(t)
			_, err := c.OpenFile("file", os.O_WRONLY)
			must(t, err, c.Truncate("file", 4), c.Chmod("file", 0o640), c.Chtimes("file", when, when))
			s.isChanged(t) // others see it at once
			if end == "cut it" {
				c.cut(true)
			} else {
				must(t, c.close())
			}
			eventually(t, "the session has ended", func() bool { return strings.Contains(s.stderr.String(), "logout") })
			s.isChanged(t)
		}
	})
	t.Run("closed after all", func(t *testing.T) {
		s := serve(t)
		s.put(t, "file", []byte("0123456789"))
		c := s.dial(t)
		f, err := c.OpenFile("file", os.O_WRONLY)
		must(t, err, c.Truncate("file", 4), c.Chmod("file", 0o640), c.Chtimes("file", when, when), f.Close())
		s.isChanged(t)
	})
	t.Run("something written", func(t *testing.T) {
		s := serve(t)
		s.put(t, "file", []byte("0123456789"))
		c := s.dial(t)
		c.begun(t, "file", "new", 0)
		must(t, c.Truncate("file", 4))
		if got := string(s.get(t, "file")); got != "0123456789" {
			t.Errorf("before CLOSE the library has %q", got)
		}
	})
}

// isChanged checks size, mode and time of "file" on disk.
func (s *server) isChanged(t *testing.T) {
	t.Helper()
	i, err := os.Stat(filepath.Join(s.library, "file"))
	must(t, err)
	if i.Size() != 4 || i.Mode() != 0o640 || i.ModTime().Unix() != 1_000_000_000 {
		t.Errorf("file has %d bytes, mode %v, time %v", i.Size(), i.Mode(), i.ModTime())
	}
}
