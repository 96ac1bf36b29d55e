package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestDiskFull uploads what does not fit: the reason names the disk, the old
// version stays, and the space is free again.
func TestDiskFull(t *testing.T) {
	need(t, "sftp")
	t.Parallel()
	dir := t.TempDir()
	library := filepath.Join(dir, "library")
	if err := os.Mkdir(library, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", library).CombinedOutput(); err != nil {
		cannotRun(t, "tmpfs can't be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", library).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	s, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	old := content(1, 2<<20)
	s.put(t, "file", old)
	large, small := filepath.Join(dir, "large"), filepath.Join(dir, "small")
	writeRandom(t, large, 30<<20)
	writeRandom(t, small, 10<<20)
	for _, name := range []string{"file", "new"} {
		out, err := sftpBatch(s, fmt.Sprintf("put %q %s\n", large, name)).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "disk") {
			t.Errorf("%v, sftp shows:\n%s", err, out)
		}
		s.mustForget(t, old)
	}
	if _, err := os.Stat(filepath.Join(library, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a part of the new file is there")
	}
	succeed(t, sftpBatch(s, fmt.Sprintf("put %q file\n", small)))
	if digest(t, filepath.Join(library, "file")) != digest(t, small) {
		t.Error("the file that fits arrived changed")
	}
}

// TestClientsCut cuts uploads off in every way a client can go, again and again.
func TestClientsCut(t *testing.T) {
	t.Parallel()
	cuts := orInFull(20, 200)
	s := serve(t)
	old := content(1, 100_000)
	s.put(t, "file", old)
	warmUp(t, s)
	idle := s.resources(t)
	for i := range cuts {
		c, err := s.connect()
		if err != nil {
			t.Fatal(err)
		}
		c.uploadPart(t)
		c.cut(i%2 == 0)
		c.close()
	}
	s.mustForget(t, old)
	eventually(t, "all handles are closed", func() bool { return len(s.descriptors(t)) <= idle.descriptors })
	t.Logf("%d uploads cut: the name was unchanged each time", cuts)
}

// TestClientFrozen stops a client without a word. Keepalives find out.
func TestClientFrozen(t *testing.T) {
	need(t, "sftp")
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte("client_alive_interval = \"500ms\"\nclient_alive_count_max = 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--config", config)
	old := content(1, 100_000)
	s.put(t, "file", old)
	source := filepath.Join(dir, "source")
	writeRandom(t, source, 64<<20)
	cmd := sftpBatch(s, fmt.Sprintf("put %q file\n", source))
	cmd.Args = append(cmd.Args[:1], append([]string{"-l", "1000", "-B", "8192"}, cmd.Args[1:]...)...) // Kbit/s
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                                             // sftp and its ssh
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	eventually(t, "the upload has begun", func() bool { return s.staged(t) > 0 })
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.mustForget(t, old)
}

// TestReput cuts an upload off and has sftp go on: only the rest is sent.
func TestReput(t *testing.T) {
	need(t, "sftp")
	const size, arrived = 10 << 20, 6 << 20
	s := serve(t)
	source := filepath.Join(t.TempDir(), "source")
	want := writeRandom(t, source, size)
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	c := s.dial(t)
	f, err := c.OpenFile("file", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadFrom(bytes.NewReader(text[:arrived])); err != nil {
		t.Fatal(err)
	}
	c.cut(true)
	again := s.dial(t)
	eventually(t, "the partial is kept", func() bool { i, err := again.Stat("file"); return err == nil && i.Size() == arrived })
	if l, err := again.ReadDir("/"); err != nil || len(l) != 0 {
		t.Errorf("the partial is listed: %v, %v", l, err)
	}
	if _, err := again.Open("file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the partial can be downloaded: %v", err)
	}

	// It outlives the server, told to stop.
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if s, err = startServer(s.dir); err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	succeed(t, sftpBatch(s, fmt.Sprintf("reput %q file\n", source)))
	if digest(t, filepath.Join(s.library, "file")) != want {
		t.Error("what was resumed differs from its source")
	}
	if sent := fmt.Sprintf("bytes=%d", size-arrived); !strings.Contains(s.stderr.String(), sent) {
		t.Errorf("the log has no put of %s:\n%s", sent, s.stderr)
	}
	if left := s.stages(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSymlinkSwap swaps a name between a file and a link to a secret as fast as
// it can while a client opens it, and writes to it.
func TestSymlinkSwap(t *testing.T) {
	t.Parallel()
	opens := orInFull(20_000, 1_000_000)
	if testing.Short() || raceEnabled && !*torture {
		opens = 2_000
	}
	s := serve(t)
	const secret = "what nobody may see"
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var swapping sync.WaitGroup
	swapping.Go(func() { swap(t, filepath.Join(s.library, "name"), outside, &done) })
	c := s.dial(t)
	var files, refused int
	for i := range opens {
		b, err := c.download("name")
		switch {
		case strings.Contains(string(b), secret):
			t.Fatal("the secret was read")
		case err == nil:
			files++
		default:
			refused++
		}
		if i%10 == 0 {
			c.Chmod("name", 0o666)
			c.Truncate("name", 1)
			c.upload("name", []byte("over it"))
		}
	}
	done.Store(true)
	swapping.Wait()
	if text, err := os.ReadFile(outside); err != nil || string(text) != secret {
		t.Errorf("the secret was changed: %q, %v", text, err)
	}
	if i, err := os.Stat(outside); err != nil || i.Mode() != 0o600 {
		t.Errorf("the secret's mode was changed: %v, %v", i.Mode(), err)
	}
	if files == 0 || refused == 0 {
		t.Errorf("no race: %d opens met a file, %d did not", files, refused)
	}
	t.Logf("%d opens met a file, %d something else: the secret was never read", files, refused)
}

// swap makes name a file and a link to target by turns.
func swap(t *testing.T, name, target string, done *atomic.Bool) {
	for !done.Load() {
		link, file := name+".link", name+".file"
		os.Remove(link)
		if err := os.Symlink(target, link); err != nil {
			t.Error(err)
			return
		}
		os.Rename(link, name)
		os.WriteFile(file, []byte("harmless"), 0o644)
		os.Rename(file, name)
	}
}
