package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// debian is a Debian that has been booted: its systemd is process 1 of namespaces
// of its own, and its files are in an overlay, which is gone after the test.
type debian struct {
	overlay string
	init    *exec.Cmd
}

// suites are the Debians that are booted, with the version of their systemd.
const (
	oldDebian = "bookworm" // systemd 252
	newDebian = "trixie"   // systemd 257
)

// bases has a folder for each suite, with what is in a new installation, and what
// the tests need there. It takes half a minute to make one.
var bases = map[string]func() (string, error){
	oldDebian: sync.OnceValues(func() (string, error) { return makeDebian(oldDebian) }),
	newDebian: sync.OnceValues(func() (string, error) { return makeDebian(newDebian) }),
}

func makeDebian(suite string) (string, error) {
	cache, err := os.UserCacheDir() // in the home folder of the tests, which goes with them
	if err != nil {
		return "", err
	}
	base := filepath.Join(cache, suite)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	packages := "systemd,openssh-client,passwd"
	if suite == oldDebian {
		packages += ",rpm" // for the package of other systems
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mmdebstrap", "--quiet", "--variant=essential", "--format=directory",
		"--include="+packages, "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		suite, base)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return base, errors.Join(
		os.WriteFile(filepath.Join(base, "etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644),
		os.WriteFile(filepath.Join(base, "shelf-test"), nil, 0o644)) // boot.sh looks for it before it starts systemd
}

// boot boots a Debian, and has prepare put files into it before that.
func boot(t *testing.T, suite string, prepare func(root string)) *debian {
	t.Helper()
	need(t, "mmdebstrap")
	if os.Geteuid() != 0 {
		cannotRun(t, "only root can boot a Debian in namespaces")
	}
	base, err := bases[suite]()
	if err != nil {
		t.Fatal(err)
	}
	d := &debian{overlay: t.TempDir()}
	upper := filepath.Join(d.overlay, "upper")
	if err := os.Mkdir(upper, 0o755); err != nil {
		t.Fatal(err)
	}
	prepare(upper)
	d.start(t, base)
	eventually(t, suite+" has booted", func() bool {
		state, _ := d.command("systemctl", "is-system-running").Output()
		// Degraded: not every unit of the system can do its work in here.
		return strings.TrimSpace(string(state)) == "running" || strings.TrimSpace(string(state)) == "degraded"
	})
	return d
}

// start runs systemd in a control group and in namespaces of its own.
func (d *debian) start(t *testing.T, base string) {
	t.Helper()
	cgroup, err := newCgroup()
	if err != nil {
		cannotRun(t, "there is no control group for systemd: %v", err)
	}
	t.Cleanup(func() { removeCgroup(cgroup.Name()) })
	defer cgroup.Close()
	d.init = exec.Command("sh", "testdata/boot.sh", base, d.overlay)
	d.init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		Pdeathsig:   syscall.SIGKILL, // not even a test that is killed leaves it behind
		UseCgroupFD: true,
		CgroupFD:    int(cgroup.Fd()),
	}
	said := newOutput()
	d.init.Stdout, d.init.Stderr = said, said
	if err := d.init.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := d.try("journalctl --no-pager -u shelfd | tail -40")
			t.Log(log)
		}
		d.init.Process.Kill() // process 1: all others end with it
		d.init.Wait()
		if t.Failed() {
			console, _ := os.ReadFile(filepath.Join(d.overlay, "console"))
			t.Logf("%s%s", said, console)
		}
	})
}

// newCgroup makes a control group of version 2.
func newCgroup() (*os.File, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			path, err := os.MkdirTemp(f[1], "shelf-tests-")
			if err != nil {
				return nil, err
			}
			return os.Open(path)
		}
	}
	return nil, errors.New("cgroup2 is not mounted")
}

// removeCgroup removes a control group and those in it. The kernel takes a moment
// to see that their processes are gone.
func removeCgroup(path string) {
	for range 100 {
		err := exec.Command("find", path, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
		if _, gone := os.Stat(path); err == nil || gone != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// command is a command in the Debian, as root.
func (d *debian) command(args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(d.init.Process.Pid), "--all", "--root", "--wd",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	return exec.Command("nsenter", append(enter, args...)...)
}

// sh runs a script in the Debian, which must not fail, and returns what it prints.
func (d *debian) sh(t *testing.T, script string) string {
	t.Helper()
	out, err := d.try(script)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return out
}

// try runs a script in the Debian.
func (d *debian) try(script string) (string, error) {
	out, err := d.command("sh", "-euc", script).CombinedOutput()
	return string(out), err
}

// eventually waits until a script succeeds in the Debian.
func (d *debian) eventually(t *testing.T, what, script string) {
	t.Helper()
	eventually(t, what, func() bool {
		_, err := d.try(script)
		return err == nil
	})
}
