package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestImage runs the container image by podman: as a user that the image does not
// know, with a root that can't be written, without privileges, and with the sandbox
// of the server in full. It is started twice, and clients know it again.
func TestImage(t *testing.T) {
	r := released(t, oldRelease)
	need(t, "podman")
	if os.Geteuid() != 0 {
		cannotRun(t, "podman runs as root here, in a mount namespace")
	}
	i := &image{dir: t.TempDir()}
	loaded, err := i.podman("load", "--input", r.file(t, "_oci.tar")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, loaded)
	}
	i.name = strings.TrimSpace(string(loaded[bytes.LastIndexByte(loaded, ' ')+1:]))
	for _, volume := range volumes() {
		if err := os.Mkdir(filepath.Join(i.dir, volume), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(i.dir, volume), containerUID, containerUID); err != nil {
			t.Fatal(err)
		}
	}
	if err := makeKey(filepath.Join(i.dir, "id")); err != nil {
		t.Fatal(err)
	}
	out, err := i.run("init", "--yes", "--config", "/config/shelfd.toml", "--library", "/library", "--state", "/state",
		"--account", user, "--key", readText(t, filepath.Join(i.dir, "id.pub"))).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := filepath.Join(i.dir, "config/shelfd.toml")
	if err := os.WriteFile(config, []byte("sandbox = \"require\"\n"+readText(t, config)), 0o600); err != nil {
		t.Fatal(err)
	}

	var known []string // by which host key
	for _, batch := range []string{"put /etc/hostname\nls -l\n", "get hostname " + filepath.Join(i.dir, "back") + "\n"} {
		s := i.serve(t)
		known = append(known, regexp.MustCompile("SHA256:[^ ]*").FindString(s.stdout.String()))
		sftp := exec.Command("sftp", "-q", "-b", "-", "-F", s.config, "shelf")
		sftp.Stdin = strings.NewReader(batch)
		if out, err := sftp.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, batch, out)
		}
		if out, err := i.run("health", "--state", "/state").CombinedOutput(); err != nil {
			t.Errorf("the health probe: %v\n%s", err, out)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	if known[0] == "" || known[0] != known[1] {
		t.Errorf("clients know the server by %s, and after a restart by %s", known[0], known[1])
	}
}

// containerUID is a user that the image does not know.
const containerUID = 4711

// volumes are the folders that the image wants from outside.
func volumes() []string { return []string{"config", "state", "library"} }

// image is an image that podman has, with everything of podman's in one folder.
type image struct{ dir, name string }

// podman is a command of podman. Its runtime knows control groups of version 2
// alone, and there may be others: so it gets a mount namespace in which there are
// no others.
func (i *image) podman(args ...string) *exec.Cmd {
	const script = `mount --make-rprivate /; umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec podman "$@"`
	in := func(name string) string { return filepath.Join(i.dir, name) }
	all := append([]string{"--mount", "sh", "-euc", script, "sh", "--root", in("storage"), "--runroot", in("run"), "--cgroup-manager=cgroupfs"}, args...)
	return exec.Command("unshare", all...)
}

// run is a container that ends with its command.
func (i *image) run(args ...string) *exec.Cmd {
	all := []string{"run", "--rm", "--read-only", "--user=4711:4711", "--cap-drop=all", "--security-opt=no-new-privileges",
		"--network=host", "--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=1000:1000"}
	for _, volume := range volumes() {
		all = append(all, "--volume", filepath.Join(i.dir, volume)+":/"+volume)
	}
	return i.podman(append(append(all, i.name), args...)...)
}

// serve runs the server of the image.
func (i *image) serve(t *testing.T) *server {
	t.Helper()
	s := &server{
		dir: i.dir, identity: filepath.Join(i.dir, "id"), config: filepath.Join(i.dir, "ssh_config"),
		stdout: newOutput(), stderr: newOutput(), exited: make(chan struct{}), pair: new(pair),
	}
	s.cmd = i.run("serve", "--config", "/config/shelfd.toml", "--listen", "127.0.0.1:0")
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.exit = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() { s.cmd.Process.Signal(syscall.SIGTERM); <-s.exited })
	if err := s.awaitAddr(); err != nil {
		t.Fatal(err)
	}
	if err := s.writeConfig(); err != nil {
		t.Fatal(err)
	}
	return s
}
