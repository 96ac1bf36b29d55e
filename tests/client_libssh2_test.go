package tests

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// What is written with libssh2 uploads by scp with the content and then EOF on
// the channel. It never sends the zero byte that says that the content is whole
// (libssh2's example scp_write.c does the same), and it never reads what the server
// answers to it.

// TestCurlUploadsBySCP: curl said that the upload was fine, and the file was lost.
func TestCurlUploadsBySCP(t *testing.T) {
	need(t, "curl")
	s := serve(t)
	_, port, err := net.SplitHostPort(s.addr)
	must(t, err)
	s.put(t, "old", []byte("an old version, which is replaced"))
	for name, text := range map[string][]byte{"new": content(1, 300_000), "old": content(2, 70_000), "small": []byte("x"), "empty": nil} {
		local := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(local, text, 0o644))
		succeed(t, exec.Command("curl", "-sS", "--insecure", "--user", user+":", "--key", s.identity, "--pubkey", s.identity+".pub",
			"-T", local, "scp://127.0.0.1:"+port+"/"+name))
		eventually(t, name+" is in the library", func() bool {
			got, err := os.ReadFile(filepath.Join(s.library, name))
			return err == nil && bytes.Equal(got, text)
		})
	}
}

// TestPHPUploadsBySCP: ssh2_scp_send returned true, and the file was lost. It
// does not wait until the server has the file on disk, and ends.
func TestPHPUploadsBySCP(t *testing.T) {
	s := serve(t)
	source := content(1, 300_000)
	const login = `
$c = ssh2_connect(getenv("HOST"), (int)getenv("PORT"));
$account = getenv("ACCOUNT"); $key = getenv("ID"); $public = "$key.pub";
ssh2_auth_pubkey_file($c, $account, $public, $key) or exit(1);
`
	if out, err := s.snippet(t, phpSSH2, source, login+`ssh2_scp_send($c, "local", "sent", 0640) or exit(2);`); err != nil {
		t.Fatal(err, out)
	}
	eventually(t, "what was sent is in the library", func() bool {
		got, err := os.ReadFile(filepath.Join(s.library, "sent"))
		return err == nil && bytes.Equal(got, source)
	})
	if out, err := s.snippet(t, phpSSH2, source, login+`ssh2_scp_recv($c, "sent", "back") or exit(3);
echo hash_file("md5", "back") == hash_file("md5", "local") ? "same" : "another";`); err != nil || out != "same" {
		t.Error(err, out)
	}
}

// TestSCPUploadWithoutItsEnd: only all bytes and then EOF are a whole upload.
func TestSCPUploadWithoutItsEnd(t *testing.T) {
	for what, end := range map[string]struct {
		sent    string
		cut     bool // the connection is lost, instead of EOF
		arrives bool
	}{
		"all bytes, then EOF":               {"12345678", false, true},
		"all bytes and zero, then EOF":      {"12345678\x00", false, true},
		"EOF before the last byte":          {"1234567", false, false},
		"an error of the client's":          {"12345678\x01read error\n", false, false},
		"the client gives up":               {"12345678\x02out of memory\n", false, false},
		"all bytes, then a lost connection": {"12345678", true, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.put(t, "file", []byte("old"))
			c := s.dial(t)
			channel := c.exec(t, "scp -t file")
			answers(t, channel, "\x00")
			_, err := io.WriteString(channel, "C0644 8 file\n")
			must(t, err)
			answers(t, channel, "\x00")
			_, err = io.WriteString(channel, end.sent)
			must(t, err)
			if end.cut {
				eventually(t, "the bytes have arrived", func() bool { return s.staged(t) == 8 })
				c.cut(true)
			} else {
				must(t, channel.CloseWrite())
				io.Copy(io.Discard, channel)
			}
			eventually(t, "the upload has ended", func() bool { return len(s.stages(t)) == 0 })
			if got := string(s.get(t, "file")); (got == "12345678") != end.arrives || got != "12345678" && got != "old" {
				t.Errorf("the library has %q", got)
			}
		})
	}
}

// TestSCPFolderRefused: a client that does not listen goes on after the refusal
// of a folder. Its files have no place in the library, also those of a folder in it;
// what follows the folder does.
func TestSCPFolderRefused(t *testing.T) {
	s := serve(t)
	channel := s.dial(t).exec(t, "scp -r -t .")
	_, err := io.WriteString(channel, "D0755 0 folder\nC0644 5 inner\nINNER\x00D0755 0 deeper\nC0644 6 deepest\nDEEPER\x00E\nC0644 1 last\nL\x00E\nC0644 5 after\nAFTER\x00")
	must(t, err, channel.CloseWrite())
	said, _ := io.ReadAll(channel)
	if !strings.Contains(string(said), "\x01") || !strings.Contains(string(said), "folders") {
		t.Errorf("the client is told %q", said)
	}
	for _, name := range []string{"inner", "deepest", "last", "folder", "deeper"} {
		if _, err := os.Stat(filepath.Join(s.library, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a refused folder is in the library: %v", name, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(s.library, "after")); string(got) != "AFTER" {
		t.Errorf("the file after the folder: %q, %v", got, err)
	}
}

// exec has the server run a command line, on a channel of its own.
func (c *client) exec(t *testing.T, line string) ssh.Channel {
	t.Helper()
	channel, requests, err := c.ssh.OpenChannel("session", nil)
	must(t, err)
	go ssh.DiscardRequests(requests)
	ok, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{line}))
	if err != nil || !ok {
		t.Fatalf("exec of %q: %v, %v", line, ok, err)
	}
	return channel
}

// answers reads from the server what must come now.
func answers(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("the server answers %q, %v; want %q", got, err, want)
	}
}
