package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/credentials"
	"shelf/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup makes all that a server needs in a folder: library, state, id, id.pub.
func setup(t *testing.T) (string, config.Settings) {
	t.Helper()
	dir := t.TempDir()
	id := filepath.Join(dir, "id")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "library"), 0o755), credentials.WriteKeyPair(id, io.Discard)); err != nil {
		t.Fatal(err)
	}
	s := config.Defaults()
	s.Listen, s.User, s.AuthorizedKeysFile, s.GivenKeys = "127.0.0.1:0", "ana", id+".pub", id+".pub"
	s.Library, s.State = filepath.Join(dir, "library"), filepath.Join(dir, "state")
	s.Sandbox.Word = config.SandboxOff // it would hold the tests that follow, too
	return dir, s
}

// A server is started, used as its first line says, and stopped.
func TestServe(t *testing.T) {
	dir, s := setup(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	out, in := io.Pipe()
	var log bytes.Buffer
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, s, in, &log)
		in.Close()
	}()
	line := make([]byte, 1000)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	useServer(t, dir, string(line[:n]))
	stop()
	if rest, _ := io.ReadAll(out); len(bytes.TrimSpace(rest)) > 0 {
		t.Errorf("a second line was printed: %q", rest)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	for _, want := range []string{"msg=login", "account=ana", "msg=list", "msg=logout", "msg=stopping"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, log.String())
		}
	}
}

// useServer connects as the line tells.
func useServer(t *testing.T, dir, line string) {
	t.Helper()
	m := regexp.MustCompile(`\(host key ssh-ed25519 (SHA256:\S+)\)\. Connect with: sftp -i \S+/id -P (\d+) (\S+)@(\S+)  or: shelf -i \S+/id -p `).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the line does not tell how to connect: %q", line)
	}
	private, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ssh.Dial("tcp", net.JoinHostPort(m[4], m[2]), &ssh.ClientConfig{
		User: m[3], Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, Timeout: 20 * time.Second,
		HostKeyCallback: func(_ string, _ net.Addr, host ssh.PublicKey) error {
			if ssh.FingerprintSHA256(host) != m[1] {
				t.Errorf("the host key is not the one in %q", line)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client, err := sftp.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.ReadDir("/"); err != nil {
		t.Error(err)
	}
}

// Each thing that would make a server useless or unsafe is found before it
// serves, and said with what to do.
func TestStartRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(dir string, s *config.Settings) error
		want  []string
	}{
		"no keys": {func(_ string, s *config.Settings) error { return os.Remove(s.AuthorizedKeysFile) },
			[]string{"Nobody could log in", "no such file", "ssh-keygen", "--authorized-keys"}},
		"empty keys": {func(_ string, s *config.Settings) error { return os.WriteFile(s.AuthorizedKeysFile, nil, 0o600) },
			[]string{"Nobody could log in", "lists no key"}},
		"keys for all to write": {func(_ string, s *config.Settings) error { return os.Chmod(s.AuthorizedKeysFile, 0o666) },
			[]string{"others may write it", "chmod go-w"}},
		"no library": {func(_ string, s *config.Settings) error { return os.Remove(s.Library) },
			[]string{"There is no library", "mkdir -p", "--library"}},
		"a file as library": {func(dir string, s *config.Settings) error { s.Library = filepath.Join(dir, "id"); return nil },
			[]string{"not a directory", "--library"}},
		"state in the library": {func(_ string, s *config.Settings) error { s.State = filepath.Join(s.Library, "a", "b"); return nil },
			[]string{"not safe", "--state"}},
		"library as state": {func(_ string, s *config.Settings) error { s.State = s.Library; return nil },
			[]string{"not safe", "--state"}},
		"state in the library by a link": {func(dir string, s *config.Settings) error {
			s.State = filepath.Join(dir, "link", "state")
			return os.Symlink(s.Library, filepath.Join(dir, "link"))
		}, []string{"not safe", "--state"}},
		"keys in the library": {func(_ string, s *config.Settings) error {
			in := filepath.Join(s.Library, "keys")
			err := os.Rename(s.AuthorizedKeysFile, in)
			s.AuthorizedKeysFile = in
			return err
		}, []string{"not safe", "--authorized-keys"}},
		"a host key for all to read": {func(_ string, s *config.Settings) error {
			if err := os.Mkdir(s.State, 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(s.State, "ssh_host_ed25519_key"), nil, 0o644)
		}, []string{"host key", "others may read it", "chmod 600"}},
		"no address": {func(_ string, s *config.Settings) error { s.Listen = "nonsense"; return nil },
			[]string{"Cannot listen on nonsense", "--listen"}},
		"no user":     {func(_ string, s *config.Settings) error { s.User = ""; return nil }, []string{"--user"}},
		"an odd user": {func(_ string, s *config.Settings) error { s.User = "a\x1b"; return nil }, []string{`"a\x1b"`, "--user"}},
		"no sessions": {func(_ string, s *config.Settings) error { s.MaxSessions = config.Count{}; return nil }, []string{"max_sessions"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, s := setup(t)
			if err := test.spoil(dir, &s); err != nil {
				t.Fatal(err)
			}
			var out, log bytes.Buffer
			ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
			defer stop()
			err := serve(ctx, s, &out, &log)
			if err == nil {
				t.Fatal("it serves")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
			if out.Len() > 0 {
				t.Errorf("it prints %q", out.String())
			}
		})
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, s := setup(t)
	s.Listen = l.Addr().String()
	err = serve(context.Background(), s, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "Another program has that port") {
		t.Errorf("got %v", err)
	}
}

func TestExitStatus(t *testing.T) {
	for _, test := range []struct {
		args string
		want int
	}{
		{"version", 0}, {"help", 0}, {"", 0},
		{"nonsense", exitUsage}, {"serve nonsense", exitUsage}, {"serve --nonsense", exitUsage},
		{"serve --grace soon", exitUsage}, {"version --nonsense", exitUsage}, {"keygen", exitUsage},
		{"serve --config /nonexistent/file", exitFailure},
	} {
		if got := run(context.Background(), strings.Fields(test.args)); got != test.want {
			t.Errorf("shelfd %s: status %d, want %d", test.args, got, test.want)
		}
	}
}

func TestConnectTo(t *testing.T) {
	for at, want := range map[string]string{
		"[::]:2222":          "localhost",
		"0.0.0.0:2222":       "127.0.0.1",
		"127.0.0.1:2222":     "127.0.0.1",
		"[::1]:2222":         "[::1]",
		"192.0.2.1:2222":     "192.0.2.1",
		"[2001:db8::1]:2222": "[2001:db8::1]",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if host, port := connectTo(tcp); host != want || port != "2222" {
			t.Errorf("%s is reached at %s, port %s; want %s", at, host, port, want)
		}
	}
}

// The commands work when they are pasted: with the key that lies beside the
// public one, by the path that was given, quoted where it must be.
func TestAnnounceNamesTheKey(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := errors.Join(os.Mkdir("a b", 0o700), credentials.WriteKeyPair("a b/id", io.Discard), os.WriteFile("alone.pub", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, host := setup(t)
	key, err := keys.HostKey(host.State)
	if err != nil {
		t.Fatal(err)
	}
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2222}
	for given, want := range map[string]string{
		"a b/id.pub":      "Connect with: sftp -i 'a b/id' -P 2222 ana@127.0.0.1  or: shelf -i 'a b/id' -p 2222 ana@127.0.0.1",
		"alone.pub":       "Connect with: sftp -P 2222 ana@127.0.0.1  or: shelf -p 2222 ana@127.0.0.1",
		"authorized_keys": "Connect with: sftp -P 2222 ana@127.0.0.1  or: shelf -p 2222 ana@127.0.0.1",
	} {
		var line strings.Builder
		announce(config.Settings{User: "ana", Library: "x", GivenKeys: given}, at, []ssh.Signer{key}, &line)
		if !strings.HasSuffix(line.String(), want+"\n") {
			t.Errorf("%s: %q does not end in %q", given, &line, want)
		}
	}
}

func TestClientBeside(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("bin", 0o700), os.WriteFile("bin/shelf", nil, 0o700), os.WriteFile("shelf", nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[string]string{
		"shelfd": "shelf", "./bin/shelfd": "bin/shelf", "./shelfd": "./shelf", "/nowhere/shelfd": "shelf",
	} {
		if got := clientBeside(server); got != want {
			t.Errorf("beside %s the client is %s, want %s", server, got, want)
		}
	}
}
