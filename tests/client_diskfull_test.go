package tests

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestDiskFullIsRecorded: the event of an upload that did not fit says so, for
// whatever client. Of those that end the session at the first error, shelf
// among them, it said that they had cut the upload short.
func TestDiskFullIsRecorded(t *testing.T) {
	dir := t.TempDir()
	library, large := filepath.Join(dir, "library"), filepath.Join(dir, "large")
	mountSmall(t, library)
	s := serveIn(t, dir, `
		library = "library"
		audit_log = "audit"
		[accounts.ada]
		authorized_keys_file = "id.pub"`)
	writeRandom(t, large, 12<<20)
	_, port, err := net.SplitHostPort(s.addr)
	must(t, err)
	for client, command := range map[string]*exec.Cmd{
		"sftp":   sftpBatch(s, fmt.Sprintf("put %q sftp\n", large)),
		"scp":    exec.Command("scp", "-F", s.config, large, "shelf:scp"),
		"scp -O": exec.Command("scp", "-O", "-F", s.config, large, "shelf:legacy"),
		"shelf":  shelfCommand(s, "put", large),
		"curl": exec.Command("curl", "-sS", "--insecure", "--user", user+":", "--key", s.identity, "--pubkey", s.identity+".pub",
			"-T", large, "sftp://127.0.0.1:"+port+"/curl"),
		"rclone":   exec.Command("rclone", "copyto", "--retries", "1", "--low-level-retries", "1", large, ":sftp,host=127.0.0.1,port="+port+",user="+user+",key_file="+s.identity+":rclone"),
		"lftp":     exec.Command("lftp", "-e", "set net:max-retries 1; set sftp:connect-program 'ssh -a -x -F "+s.config+"'; open sftp://"+user+":@shelf; put "+large+" -o lftp; quit"),
		"paramiko": s.paramikoPuts(t, large),
	} {
		t.Run(client, func(t *testing.T) {
			need(t, command.Args[0])
			before := len(events(t, s))
			if out, err := command.CombinedOutput(); err == nil && client != "lftp" { // which was told to quit, and does so well
				t.Errorf("it shows no error:\n%s", out)
			}
			var reasons []string
			eventually(t, "the upload has ended", func() bool {
				reasons = nil
				for _, e := range events(t, s)[before:] {
					if e["op"] == "put" {
						reasons = append(reasons, fmt.Sprint(e["reason"]))
					}
				}
				return len(reasons) > 0 && len(s.stages(t)) == 0
			})
			for _, reason := range reasons {
				if !strings.Contains(reason, "the server's disk") {
					t.Errorf("the reason is %q", reason)
				}
			}
		})
	}
}

// mountSmall makes a folder a disk of 8 MiB.
func mountSmall(t *testing.T, folder string) {
	t.Helper()
	must(t, os.Mkdir(folder, 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// TestDiskFullOfTwo: two servers fill a disk at the same time. What either has
// acknowledged is there, whole; what did not fit is refused with the reason, and takes
// no room. There is room again for both when files are removed.
func TestDiskFullOfTwo(t *testing.T) {
	dir := t.TempDir()
	mountSmall(t, filepath.Join(dir, "library"))
	first, err := startConfigured(dir, `library = "library"
partial_min_size = "1GiB"
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`)
	must(t, err)
	stopAtEnd(t, first)
	second, err := first.another(2)
	must(t, err)
	stopAtEnd(t, second)
	for round := range 5 {
		acked := fillByTwo(t, [2]*server{first, second})
		files, err := filepath.Glob(filepath.Join(first.library, "[0-9]*"))
		must(t, err)
		if len(acked) == 0 || len(files) != len(acked) {
			t.Errorf("%d uploads were acknowledged, and there are %v", len(acked), files)
		}
		for name, v := range acked {
			if got, err := readVersion(first.get(t, name)); err != nil || got != v {
				t.Errorf("%s holds %v, want %v: %v", name, got, v, err)
			}
		}
		eventually(t, "nothing is left of what did not fit", func() bool { return len(first.stages(t)) == 0 })
		c := [2]*server{first, second}[round%2].dial(t)
		for name := range acked {
			must(t, c.Remove(name))
		}
		c.close()
	}
}

// fillByTwo has clients of each server upload until none can. It returns what was
// acknowledged.
func fillByTwo(t *testing.T, pair [2]*server) map[string]version {
	t.Helper()
	acked := make(map[string]version)
	refused := 0
	var mu sync.Mutex // guards both
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			c, err := pair[n%2].connect()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.close()
			for i := range uint32(6) {
				name, v := fmt.Sprintf("%d-%d", n, i), version{uint32(n+1)<<8 + i, 600 << 10}
				err := c.upload(name, v.bytes())
				mu.Lock()
				if err == nil {
					acked[name] = v
				} else if refused++; !strings.Contains(err.Error(), "the server's disk") {
					t.Errorf("%s: %v", name, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if refused == 0 {
		t.Error("more than the disk holds has fit")
	}
	return acked
}

// paramikoPuts is paramiko uploading a file.
func (s *server) paramikoPuts(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	paramiko.need(t)
	cmd := paramiko.command(t, paramikoSession+"\ns.put("+fmt.Sprintf("%q", file)+", 'paramiko')")
	cmd.Env = append(s.clientEnv(t), cmd.Env[len(os.Environ()):]...)
	return cmd
}

// events are the lines of the audit log.
func events(t *testing.T, s *server) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(string(slurp(t, filepath.Join(s.dir, "audit")))) {
		var e map[string]any
		if strings.HasSuffix(line, "\n") {
			must(t, json.Unmarshal([]byte(line), &e))
			all = append(all, e)
		}
	}
	return all
}
