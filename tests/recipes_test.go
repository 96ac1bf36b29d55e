package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shelf/tests/objectstore"
)

// recipe is a block of docs/recipes.md, with the paths of a test in the place of those
// of the document.
func recipe(t *testing.T, heading, language string, number int, paths ...string) string {
	t.Helper()
	all := blocks(t, "recipes.md", heading, language)
	if number >= len(all) {
		t.Fatalf("%s has %d blocks of %q", heading, len(all), language)
	}
	for i := 0; i < len(paths); i += 2 {
		if !strings.Contains(strings.Join(all, ""), paths[i]) {
			t.Errorf("%s does not speak of %s", heading, paths[i])
		}
	}
	return strings.NewReplacer(paths...).Replace(all[number])
}

// folder makes a folder of a test.
func folder(t *testing.T, path ...string) string {
	t.Helper()
	dir := filepath.Join(path...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// background starts a program of a recipe, and ends it and all that it has started
// with the test.
func background(t *testing.T, cmd *exec.Cmd) *output {
	t.Helper()
	said := newOutput()
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return said
}

// TestRecipeInotify uploads files while the loop of the document copies each: all that
// it copies must be whole.
func TestRecipeInotify(t *testing.T) {
	t.Parallel()
	need(t, "inotifywait")
	s := serve(t)
	work := folder(t, s.dir, "work")
	script := recipe(t, "### inotify", "sh", 0, "/srv/shelf/inbox", s.library, "/srv/work", work)
	background(t, exec.Command("sh", "-c", script))
	c := s.dial(t)
	n := 0
	eventually(t, "it listens", func() bool { // what comes before that it does not see
		n++
		if err := c.upload(fmt.Sprintf("first %d", n), nil); err != nil {
			t.Fatal(err)
		}
		there, err := os.ReadDir(work)
		return err == nil && len(there) > 0
	})
	for i := range 20 {
		if err := c.upload(fmt.Sprintf("-file %d", i), content(uint64(i), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last was copied", func() bool {
		info, err := os.Stat(filepath.Join(work, "-file 19"))
		return err == nil && info.Size() == 1<<20
	})
	for i := range 20 {
		if !bytes.Equal(slurp(t, filepath.Join(work, fmt.Sprintf("-file %d", i))), content(uint64(i), 1<<20)) {
			t.Errorf("file %d is not whole", i)
		}
	}
}

// TestRecipeS3 has the bucket follow the library, by the command of the document and
// shelfd deliver, while the store is away for a while.
func TestRecipeS3(t *testing.T) {
	t.Parallel()
	need(t, objectstore.Program)
	need(t, "rclone")
	dir := t.TempDir()
	prepareDelivering(t, dir)
	store, err := objectstore.Start(folder(t, dir, "store"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Stop)
	inbox := filepath.Join(dir, "store", "inbox") // where the store has the bucket
	conf := filepath.Join(dir, "rclone.conf")
	text := fmt.Sprintf("[store]\ntype = s3\nprovider = Other\nendpoint = %s\naccess_key_id = %s\nsecret_access_key = %s\n", store.URL, objectstore.AccessKey, objectstore.SecretKey)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(script string) {
		t.Helper()
		cmd := exec.Command("sh", "-euc", script)
		cmd.Env = append(os.Environ(), "AWS_CA_BUNDLE=") // of who runs the tests; rclone cannot use it
		succeed(t, cmd)
	}
	run("rclone --config " + conf + " mkdir store:inbox")
	program := filepath.Join(dir, "to-s3")
	library := filepath.Join(dir, "library")
	script := recipe(t, "## On to S3", "sh", 0, "/srv/shelf/inbox", library, "rclone ", "rclone --retries 1 --low-level-retries 1 --config "+conf+" ")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	table := recipe(t, "## On to S3", "toml", 0, "/usr/local/bin/to-s3", program, `"inbox"`, `"in"`)
	s := serveIn(t, dir, delivering+table+"retry_min = \"100ms\"\nretry_max = \"1s\"\n")
	d, err := s.deliver()
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop(t)
	d.ready(t)
	c := s.dial(t)
	store.Stop()
	for i := range 3 {
		if err := c.upload(fmt.Sprintf("-file %d", i), content(uint64(i), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it fails", func() bool { return strings.Contains(d.stderr.String(), "was not delivered") })
	if err := store.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Rename("-file 0", "renamed"), c.Remove("-file 1")); err != nil {
		t.Fatal(err)
	}
	same := func() bool {
		for name, want := range map[string][]byte{"-file 2": content(2, 1000), "renamed": content(0, 1000), "-file 0": nil, "-file 1": nil} {
			if got := maybe(filepath.Join(inbox, name)); !bytes.Equal(got, want) {
				return false
			}
		}
		return true
	}
	eventually(t, "the bucket is as the library", same)
	eventually(t, "nothing waits", func() bool {
		return exec.Command("shelfd", "deliver", "status", "--config", filepath.Join(dir, "shelfd.toml"), "--state", s.state).Run() == nil
	})
	// And all of it at once.
	if err := os.Remove(filepath.Join(inbox, "renamed")); err != nil {
		t.Fatal(err)
	}
	again := recipe(t, "## On to S3", "sh", 1, "/srv/shelf/inbox", library, "rclone ", "rclone --config "+conf+" ")
	run(again)
	if !same() {
		t.Error("rclone sync did not copy what was missing")
	}
	if _, err := os.Stat(filepath.Join(inbox, ".shelf")); err == nil {
		t.Error("it has copied .shelf")
	}
}

// TestRecipeExpiry runs the command of the document: a file that came now stays, however
// old its client says it is, and what is no file of the library is left alone. Nobody
// can make a file's ctime old, so the other half of it is asked for files of today.
func TestRecipeExpiry(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.dial(t)
	if err := errors.Join(c.upload("old", nil), c.Chtimes("old", time.Unix(1e9, 0), time.Unix(1e9, 0))); err != nil {
		t.Fatal(err)
	}
	s.put(t, ".hidden", nil)
	if err := os.Mkdir(filepath.Join(s.library, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.put(t, "folder/inner", nil)
	stage, err := c.Create("under way")
	if err == nil {
		_, err = stage.Write([]byte("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	command := recipe(t, "## Expiry", "sh", 0, "/srv/shelf/inbox", s.library)
	succeed(t, exec.Command("sh", "-euc", command))
	if _, err := os.Stat(filepath.Join(s.library, "old")); err != nil {
		t.Error("a file that came now is removed:", err)
	}
	succeed(t, exec.Command("sh", "-euc", strings.Replace(command, "-ctime +30", "-ctime -1", 1)))
	if _, err := os.Stat(filepath.Join(s.library, "old")); err == nil {
		t.Error("a file of today is not found by its ctime")
	}
	if err := stage.Close(); err != nil || string(s.get(t, "under way")) != "x" {
		t.Errorf("an upload under way was removed: %v", err)
	}
	for _, name := range []string{".hidden", "folder/inner"} {
		if _, err := os.Stat(filepath.Join(s.library, name)); err != nil {
			t.Errorf("%s is removed", name)
		}
	}
}

// TestRecipeBackup copies a server that runs, as the document says, and starts it from
// the copy elsewhere: it is the same to its clients.
func TestRecipeBackup(t *testing.T) {
	t.Parallel()
	need(t, "rsync")
	s := serve(t)
	c := s.dial(t)
	if err := c.upload("file", content(1, 100000)); err != nil {
		t.Fatal(err)
	}
	half, err := c.Create("under way")
	if err == nil {
		_, err = half.Write(content(2, 2<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	backup, etc := folder(t, t.TempDir(), "backup"), folder(t, s.dir, "etc")
	if err := os.WriteFile(filepath.Join(etc, "shelfd.toml"), []byte("# settings\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	places := func(dir string) []string {
		return []string{"/srv/shelf/inbox", filepath.Join(dir, "library"), "/var/lib/shelf", filepath.Join(dir, "state"), "/etc/shelf", filepath.Join(dir, "etc"), "/backup", backup}
	}
	succeed(t, exec.Command("sh", "-euc", recipe(t, "## Backup and restore", "sh", 0, places(s.dir)...)))
	next := t.TempDir()
	for _, name := range []string{"library", "state", "etc"} {
		folder(t, next, name)
	}
	succeed(t, exec.Command("sh", "-euc", recipe(t, "## Backup and restore", "sh", 1, places(next)...)))
	for _, file := range []string{"state/ssh_host_ed25519_key", "etc/shelfd.toml", "library/file"} {
		if !bytes.Equal(slurp(t, filepath.Join(next, file)), slurp(t, filepath.Join(s.dir, file))) {
			t.Errorf("%s is another", file)
		}
	}
	if err := os.WriteFile(filepath.Join(next, "id"), slurp(t, s.identity), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(next, "id.pub"), slurp(t, s.identity+".pub"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := startServer(next)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, o)
	files, err := o.dial(t).ReadDir("/")
	if err != nil || len(files) != 1 || files[0].Name() != "file" {
		t.Errorf("it has %v (%v)", files, err)
	}
}

// TestRecipeRsyslog has rsyslog send the audit log to a server of the test, which must
// get each line as it is, over a rotation too.
func TestRecipeRsyslog(t *testing.T) {
	t.Parallel()
	need(t, "/usr/sbin/rsyslogd")
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	got := newOutput()
	go func() {
		for {
			c, err := collector.Accept()
			if err != nil {
				return
			}
			for in := bufio.NewScanner(c); in.Scan(); {
				got.Write(append(in.Bytes(), '\n'))
			}
		}
	}()
	host, port, _ := net.SplitHostPort(collector.Addr().String())
	dir := t.TempDir()
	prepareDelivering(t, dir)
	conf := recipe(t, "## The audit log to elsewhere", "", 0, "logs.example.com", host, "6514", port, "/var/log/shelf/audit*.jsonl", filepath.Join(dir, "log", "audit*"),
		`maxMessageSize="64k"`, fmt.Sprintf(`maxMessageSize="64k" workDirectory=%q`, folder(t, dir, "rsyslog")))
	file := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, dir, "audit_max_size = \"4KiB\"\n"+delivering)
	said := background(t, exec.Command("/usr/sbin/rsyslogd", "-n", "-f", file, "-i", filepath.Join(dir, "pid")))
	c := s.dial(t)
	log := filepath.Join(dir, "log", "audit")
	for i := range 40 {
		if err := c.upload(fmt.Sprint("file ", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		if t.Failed() {
			t.Logf("rsyslog says\n%s\nand sent\n%s", said, got)
		}
	}()
	has := func() map[string]bool {
		seen := make(map[string]bool)
		for line := range strings.Lines(got.String()) {
			seen[strings.TrimSpace(line)] = true
		}
		return seen
	}
	var wanted []string
	files, err := filepath.Glob(log + "*")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		for line := range strings.Lines(readText(t, f)) {
			if line = strings.TrimSpace(line); json.Valid([]byte(line)) {
				wanted = append(wanted, line)
			}
		}
	}
	eventually(t, "all lines are there", func() bool {
		seen := has()
		for _, line := range wanted {
			if !seen[line] {
				return false
			}
		}
		return true
	})
}
