package tests

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// gateway is a store over a folder, in which each folder is a bucket.
type gateway struct {
	cmd  *exec.Cmd
	addr string
}

// The credentials of the store.
const (
	accessKey = "tests"
	secretKey = "not a secret"
)

// startGateway starts a store over a folder.
func startGateway(root string) (*gateway, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gateway{addr: listener.Addr().String()}
	listener.Close()
	g.cmd = exec.Command("versitygw", "--port", g.addr, "--access", accessKey, "--secret", secretKey, "--keep-alive", "--quiet",
		"posix", root)
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", g.addr); err == nil {
			conn.Close()
			return g, nil
		}
	}
	g.stop()
	return nil, fmt.Errorf("the store did not start")
}

func (g *gateway) stop() {
	g.cmd.Process.Kill()
	g.cmd.Wait()
}

// startInBucket is startServer for a library in a bucket. The store keeps that in the
// folder where others have their library.
func startInBucket(dir string, args ...string) (*server, *gateway, error) {
	s, err := newServer(dir)
	if err != nil {
		return nil, nil, err
	}
	g, err := startGateway(dir)
	if err != nil {
		return nil, nil, err
	}
	credentials := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", accessKey, secretKey)
	toml := fmt.Sprintf(`user = %q
authorized_keys_file = "id.pub"
[libraries.default]
bucket = "s3://library"
endpoint = "http://%s"
path_style = true
credentials_file = "credentials"
`, user, g.addr)
	for name, text := range map[string]string{"credentials": credentials, "shelfd.toml": toml} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			g.stop()
			return nil, nil, err
		}
	}
	if err := s.start(append([]string{"--config", filepath.Join(dir, "shelfd.toml")}, args...)); err != nil {
		g.stop()
		return nil, nil, err
	}
	return s, g, nil
}

// serveBucket is serve for a library in a bucket.
func serveBucket(t *testing.T, args ...string) *server {
	t.Helper()
	need(t, "versitygw")
	s, g, err := startInBucket(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.stop)
	stopAtEnd(t, s)
	return s
}

// Clients work with a library in a bucket as with one in a folder.
func TestClientsOverABucket(t *testing.T) {
	t.Parallel()
	need(t, "versitygw")
	t.Run("stock", func(t *testing.T) {
		s := serveBucket(t)
		for _, c := range stockClients {
			need(t, c.program)
			for _, size := range []int64{0, 1, 261121, 9 << 20} {
				c.roundTrip(t, s, size)
			}
		}
	})
	t.Run("scripts", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Files:               []string{"testdata/lftp.txtar", "testdata/curl.txtar", "testdata/rclone.txtar"},
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			Setup: func(env *testscript.Env) error {
				err := setUpScript(env)
				env.Values[scriptKey{}].(*script).inBucket = true
				return err
			},
			Condition: func(name string) (bool, error) {
				return name == "bucket" || name == "root" && os.Geteuid() == 0, nil
			},
			Cmds: scriptCommands(t),
		})
	})
	t.Run("paramiko", func(t *testing.T) {
		paramiko.need(t)
		script, err := filepath.Abs("testdata/with_paramiko.py")
		if err != nil {
			t.Fatal(err)
		}
		s := serveBucket(t)
		cmd := exec.Command("/usr/bin/python3", "-B", script)
		cmd.Dir = t.TempDir()
		cmd.Env = append(s.clientEnv(t), "MAY_DELETE=no", "IN_BUCKET=yes")
		succeed(t, cmd)
	})
	t.Run("sshfs", func(t *testing.T) {
		s := serveBucket(t)
		m := s.mount(t)
		big := content(1, 9<<20)
		source := filepath.Join(t.TempDir(), "big")
		must(t, os.WriteFile(source, big, 0o644))
		succeed(t, exec.Command("cp", source, m.in("big")))
		succeed(t, exec.Command("mv", m.in("big"), m.in("moved")))
		m.write(t, "moved", os.O_APPEND, "more")
		m.has(t, "moved", append(big, "more"...))
	})
	t.Run("resume", func(t *testing.T) {
		s := serveBucket(t)
		big := content(2, 30<<20)
		c := s.dial(t)
		f, err := c.OpenFile("big", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		must(t, err)
		_, err = f.Write(big[:20<<20])
		must(t, err)
		c.cut(false)
		source := filepath.Join(t.TempDir(), "big")
		must(t, os.WriteFile(source, big, 0o644))
		second := s.dial(t)
		eventually(t, "the beginning is kept", func() bool {
			i, err := second.Stat("big")
			return err == nil && i.Size() == 20<<20
		})
		succeed(t, shelfCommand(s, "put", source))
		if got := digest(t, filepath.Join(s.library, "big")); got != sha256.Sum256(big) {
			t.Error("what was resumed is not the file")
		}
	})
}
