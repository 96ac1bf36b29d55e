package tests

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"shelf/tests/objectstore"
)

// startInBucket is startServer for a library in a bucket. The store keeps that in the
// folder where others have their library.
func startInBucket(dir string, args ...string) (*server, *objectstore.Store, error) {
	s, err := newServer(dir)
	if err != nil {
		return nil, nil, err
	}
	g, err := objectstore.Start(dir, "")
	if err != nil {
		return nil, nil, err
	}
	if err := s.configureBucket(g.URL); err != nil {
		g.Stop()
		return nil, nil, err
	}
	if err := s.start(append([]string{"--config", filepath.Join(dir, "shelfd.toml")}, args...)); err != nil {
		g.Stop()
		return nil, nil, err
	}
	return s, g, nil
}

// configureBucket writes the settings of a server for a library in the store at a URL.
func (s *server) configureBucket(url string) error {
	_, err := objectstore.WriteCredentials(s.dir)
	toml := fmt.Sprintf("user = %q\nauthorized_keys_file = \"id.pub\"\n%s", user, inBucket(url))
	return errors.Join(err, os.WriteFile(filepath.Join(s.dir, "shelfd.toml"), []byte(toml), 0o600))
}

// inBucket are the settings of a library in the store at a URL.
func inBucket(url string) string {
	return fmt.Sprintf(`[libraries.default]
bucket = "s3://%s"
endpoint = %q
path_style = true
credentials_file = "credentials"
`, objectstore.Bucket, url)
}

// serveBucket is serve for a library in a bucket.
func serveBucket(t *testing.T, args ...string) *server {
	t.Helper()
	need(t, "versitygw")
	s, g, err := startInBucket(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	stopAtEnd(t, s)
	return s
}

// What does not hold in a bucket is not announced there.
func TestAnnouncedOverABucket(t *testing.T) {
	t.Parallel()
	folder, bucket := serve(t).dial(t), serveBucket(t).dial(t)
	for name, holds := range map[string]bool{
		"fsync@openssh.com": false, "posix-rename@openssh.com": false, "statvfs@openssh.com": false,
		"limits@openssh.com": true, "copy-data": true, "check-file": true,
	} {
		if _, ok := folder.HasExtension(name); !ok {
			t.Errorf("%s is not announced in a folder", name)
		}
		if _, ok := bucket.HasExtension(name); ok != holds {
			t.Errorf("%s in a bucket: it holds: %v, it is announced: %v", name, holds, ok)
		}
	}
	f, err := bucket.Create("f")
	must(t, err)
	if err := f.Sync(); err == nil {
		t.Error("fsync was answered with OK")
	}
	must(t, f.Close())
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
	t.Run("WinSCP", func(t *testing.T) {
		s := serveBucket(t)
		winSCPReplaces(t, s)
		winSCPOverwritesSmall(t, s)
		winSCPResumes(t, serveBucket(t), true)
		winSCPResumes(t, serveBucket(t), false)
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
