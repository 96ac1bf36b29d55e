package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeepalived runs keepalived on two machines, which are network namespaces, with
// the configuration of the guide for operators. One has the address that clients connect
// to; when haproxy has gone there, the other has it.
func TestKeepalived(t *testing.T) {
	need(t, "keepalived")
	need(t, "ip")
	if os.Geteuid() != 0 {
		cannotRun(t, "only root can make network namespaces")
	}
	if testing.Short() {
		t.Skip("short")
	}
	k := startKeepalived(t)
	var first string
	eventually(t, "one machine has the address", func() bool {
		all := k.have(t)
		if len(all) == 1 {
			first = all[0]
		}
		return len(all) == 1
	})
	must(t, os.Remove(k.runs(first)))
	eventually(t, "the other has it", func() bool {
		all := k.have(t)
		return len(all) == 1 && all[0] != first
	})
}

// keptAlive is two machines.
type keptAlive struct {
	dir   string
	names [2]string // of the namespaces
}

// runs is a file that is there as long as haproxy runs on a machine.
func (k *keptAlive) runs(machine string) string { return filepath.Join(k.dir, machine) }

// have are the machines that have the address of the service.
func (k *keptAlive) have(t *testing.T) (all []string) {
	t.Helper()
	for _, name := range k.names {
		if strings.Contains(ip(t, "-n", name, "addr", "show", "dev", "eth0"), "10.0.0.8/24") {
			all = append(all, name)
		}
	}
	return all
}

func startKeepalived(t *testing.T) *keptAlive {
	t.Helper()
	dir, err := os.MkdirTemp("", "shelf-keepalived-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755)) // the script runs as nobody
	k := &keptAlive{dir: dir}
	for n := range k.names {
		k.names[n] = fmt.Sprintf("shelf-%d-%d", os.Getpid(), n)
		ip(t, "netns", "add", k.names[n])
		t.Cleanup(func() { ip(t, "netns", "del", k.names[n]) })
	}
	ip(t, "-n", k.names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", k.names[1])
	text := readText(t, "../contrib/keepalived.conf")
	for n, name := range k.names {
		ip(t, "-n", name, "link", "set", "lo", "up")
		ip(t, "-n", name, "link", "set", "eth0", "up")
		ip(t, "-n", name, "addr", "add", fmt.Sprintf("10.0.0.%d/24", 9+n), "dev", "eth0")
		must(t, os.WriteFile(k.runs(name), nil, 0o644))
		k.start(t, n, text)
		text = strings.NewReplacer("src_ip 10.0.0.9", "src_ip 10.0.0.10", "        10.0.0.10\n", "        10.0.0.9\n").Replace(text)
	}
	return k
}

// start starts keepalived on a machine; pidof would find the haproxy of any.
func (k *keptAlive) start(t *testing.T, n int, text string) {
	t.Helper()
	name := k.names[n]
	const script = "/bin/pidof haproxy"
	if !strings.Contains(text, script) {
		t.Fatalf("the configuration does not ask %s", script)
	}
	file := filepath.Join(k.dir, name+".conf")
	must(t, os.WriteFile(file, []byte(strings.Replace(text, script, "/bin/cat "+k.runs(name), 1)), 0o644))
	cmd := exec.Command("ip", "netns", "exec", name, "keepalived", "--dont-fork", "--log-console", "--use-file", file,
		"--pid", file+".pid", "--vrrp_pid", file+".vrrp", "--checkers_pid", file+".checkers")
	said := newOutput()
	cmd.Stdout, cmd.Stderr = said, said
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, said)
		}
	})
}

// ip runs the command of iproute2.
func ip(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
