package tests

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stock is a client program and how it is told to copy one file. The last name
// of local is name, for a client that takes it from there.
type stock struct {
	program string
	put     func(s *server, local, name string) *exec.Cmd
	get     func(s *server, name, local string) *exec.Cmd
}

var stockClients = []stock{
	{
		program: "sftp",
		put: func(s *server, local, name string) *exec.Cmd {
			return sftpBatch(s, fmt.Sprintf("put %q %q\n", local, name))
		},
		get: func(s *server, name, local string) *exec.Cmd {
			return sftpBatch(s, fmt.Sprintf("get %q %q\n", name, local))
		},
	},
	{
		program: "scp",
		put: func(s *server, local, name string) *exec.Cmd {
			return exec.Command("scp", "-F", s.config, local, "shelf:"+name)
		},
		get: func(s *server, name, local string) *exec.Cmd {
			return exec.Command("scp", "-F", s.config, "shelf:"+name, local)
		},
	},
	{
		program: "shelf",
		put: func(s *server, local, _ string) *exec.Cmd {
			return shelfCommand(s, "put", local)
		},
		get: func(s *server, name, local string) *exec.Cmd {
			return shelfCommand(s, "get", name, "to", filepath.Dir(local))
		},
	},
}

// shelfCommand is our own client with one command.
func shelfCommand(s *server, args ...string) *exec.Cmd {
	flags := []string{"-i", s.identity, "--known-hosts", filepath.Join(s.dir, "known_hosts"), "--accept-new", user + "@" + s.addr}
	return exec.Command("shelf", append(flags, args...)...)
}

// sftpBatch is an sftp that takes its commands from text and stops at the
// first that fails.
func sftpBatch(s *server, text string) *exec.Cmd {
	cmd := exec.Command("sftp", "-F", s.config, "-b", "-", "shelf")
	cmd.Stdin = strings.NewReader(text)
	return cmd
}

// The sizes at which a copy can go wrong: nothing, the least, and around what
// stock clients ask for at a time: 32 KiB, or what the server offers them.
var edgeSizes = []int64{0, 1, 32767, 32768, 32769, 261119, 261120, 261121}

func TestStockClientsCopyEverySize(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range stockClients {
		t.Run(c.program, func(t *testing.T) {
			need(t, c.program)
			for _, size := range edgeSizes {
				c.roundTrip(t, s, size)
			}
		})
	}
}

// TestStockClientsCopyALargeFile copies 1 GiB with sftp: the server then asks for
// new keys. The others copy less, unless -torture is set.
func TestStockClientsCopyALargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("1 GiB both ways takes a while")
	}
	t.Parallel()
	s := serve(t)
	for _, c := range stockClients {
		t.Run(c.program, func(t *testing.T) {
			need(t, c.program)
			size := int64(128 << 20)
			if c.program == "sftp" || *torture {
				size = 1 << 30
			}
			c.roundTrip(t, s, size)
		})
	}
}

// roundTrip uploads size bytes, compares what the library has, downloads them
// again and compares that.
func (c stock) roundTrip(t *testing.T, s *server, size int64) {
	t.Helper()
	name := fmt.Sprintf("%s-%d", c.program, size)
	source, back := filepath.Join(t.TempDir(), name), filepath.Join(t.TempDir(), name)
	want := writeRandom(t, source, size)
	succeed(t, c.put(s, source, name))
	if got := digest(t, filepath.Join(s.library, name)); got != want {
		t.Errorf("%s put: %d bytes arrived changed", c.program, size)
	}
	succeed(t, c.get(s, name, back))
	if got := digest(t, back); got != want {
		t.Errorf("%s get: %d bytes arrived changed", c.program, size)
	}
	os.Remove(source)
	os.Remove(back)
	os.Remove(filepath.Join(s.library, name))
}

// succeed runs a command that must exit with status 0.
func succeed(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// randomBytes is endless content that differs with the seed.
func randomBytes(seed uint64) io.Reader {
	return rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, seed)))
}

// content is size random bytes.
func content(seed uint64, size int64) []byte {
	var b bytes.Buffer
	io.CopyN(&b, randomBytes(seed), size)
	return b.Bytes()
}

// writeRandom writes size random bytes to a file and returns their digest.
func writeRandom(t testing.TB, file string, size int64) [sha256.Size]byte {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), randomBytes(uint64(size)), size); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// digest is the SHA-256 of a file.
func digest(t testing.TB, file string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
