package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// theUnit is what runs the server under systemd.
const theUnit = top + "/contrib/shelfd.service"

// deliverUnit is what runs shelfd deliver.
const deliverUnit = top + "/contrib/shelfd-deliver.service"

// TestUnitExposure has systemd judge the units, which it must know all of.
func TestUnitExposure(t *testing.T) {
	need(t, "systemd-analyze")
	for _, unit := range []string{theUnit, deliverUnit} {
		exposure(t, unit)
	}
}

func exposure(t *testing.T, unit string) {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`Overall exposure level.*: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure was told:\n%s", out)
	}
	if exposure, err := strconv.ParseFloat(string(m[1]), 64); err != nil || exposure > 1.7 {
		t.Errorf("the exposure of %s is %s", unit, m[1])
	}
}

// TestUnit runs the unit under an old and a new systemd, with the sandbox of the
// server in full, and does to it what its operator does. Once its filter of system
// calls named a group that systemd 252 does not know: the server was killed
// when it set up Landlock, without a word.
func TestUnit(t *testing.T) {
	for _, suite := range []string{oldDebian, newDebian} {
		t.Run(suite, func(t *testing.T) {
			if suite == newDebian && testing.Short() {
				t.Skip("short")
			}
			d := boot(t, suite, func(root string) { prepareUnit(t, root) })
			if said, err := d.try("systemd-analyze verify --man=no shelfd.service shelfd-deliver.service"); err != nil || said != "" {
				t.Errorf("systemd finds fault with the unit: %v\n%s", err, said)
			}
			d.sh(t, `
				useradd --system --home /var/lib/shelf --shell /usr/sbin/nologin shelf
				install -d -m 750 -g shelf /etc/shelf /etc/shelf/keys
				install -d -o shelf -g shelf /srv/shelf /srv/shelf/default
				ssh-keygen -q -t ed25519 -N '' -f /root/id
				install -m 640 -g shelf /root/id.pub /etc/shelf/keys/ada
				systemctl enable --now shelfd`)
			checkDeliverUnit(t, d)
			checkPathRecipe(t, d)
			checkUnit(t, d)
		})
	}
}

// TestUnitsAreHardenedAlike: the unit of instances gives up all that the other one does.
// Where they differ is what having several takes.
func TestUnitsAreHardenedAlike(t *testing.T) {
	one, instance := hardening(t, theUnit), hardening(t, top+"/contrib/shelfd@.service")
	if len(one) < 40 {
		t.Errorf("only %d lines of the unit were read", len(one))
	}
	for line := range one {
		if !instance[line] {
			t.Errorf("shelfd@.service is without %q", line)
		}
	}
	for line := range instance {
		if !one[line] {
			t.Errorf("only shelfd@.service has %q", line)
		}
	}
}

// hardening is what a unit says of its service, but for how it is started and reloaded.
func hardening(t *testing.T, unit string) map[string]bool {
	t.Helper()
	lines := make(map[string]bool)
	section := ""
	for line := range strings.Lines(readText(t, unit)) {
		line = strings.TrimSpace(line)
		name, _, setting := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = line
		case strings.HasPrefix(line, "#"):
		case section == "[Service]" && setting && !slices.Contains([]string{"ExecStart", "ExecReload", "Sockets"}, name):
			lines[line] = true
		}
	}
	return lines
}

// prepareUnit puts the unit, the server and a configuration into a root folder.
func prepareUnit(t *testing.T, root string) {
	t.Helper()
	buildStatic(t, filepath.Join(root, "usr/bin")+"/")
	for file, text := range map[string]string{
		"etc/systemd/system/shelfd.service":              readText(t, theUnit),
		"etc/systemd/system/shelfd-deliver.service":      readText(t, deliverUnit),
		"etc/systemd/system/shelfd.service.d/short.conf": "[Service]\nTimeoutStopSec=2\n",
		"etc/shelf/shelfd.toml": `
			listen = "127.0.0.1:2222"
			sandbox = "require"
			grace = "6s"
			audit_log = "/var/log/shelf/audit.jsonl"
			audit_mode = "0640"
			authorized_keys_file = "keys/%u"
			[libraries.default]
			path = "/srv/shelf/default"
			[[deliver]]
			name = "job"
			command = ["/bin/sh", "-c", 'echo "$SHELF_OP $SHELF_NAME $(id -u)" >> "$STATE_DIRECTORY/arrived"']
			`,
	} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// buildStatic builds the programs as they are given away, without libc and the
// race detector, which another Debian may not have.
func buildStatic(t *testing.T, to string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", to, "../cmd/shelfd", "../cmd/shelf")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// upload uploads a file with stock sftp, in a Debian in which the account ada has
// the key /root/id.
const upload = `echo put /etc/hostname | sftp -q -b - -P 2222 -i /root/id -o StrictHostKeyChecking=accept-new ada@127.0.0.1`

// checkUnit does to a unit that has been started what its operator does.
func checkUnit(t *testing.T, d *debian) {
	t.Helper()
	d.eventually(t, "a file can be uploaded", upload)
	if owner := d.sh(t, "stat -c %U:%G /srv/shelf/default/hostname"); owner != "shelf:shelf\n" {
		t.Errorf("the upload belongs to %s", owner)
	}
	d.sh(t, "test -s /var/log/shelf/audit.jsonl")

	pid := d.sh(t, "systemctl show -P MainPID shelfd")
	d.sh(t, "systemctl reload shelfd")
	d.eventually(t, "it was reloaded", `journalctl -u shelfd | grep 'was reloaded'`)
	d.sh(t, `echo 'grace = "2x"' | cat - /etc/shelf/shelfd.toml > /tmp/bad; cp /etc/shelf/shelfd.toml /tmp/good; cat /tmp/bad > /etc/shelf/shelfd.toml
		if systemctl reload shelfd; then echo the mistake is no failure of the reload; exit 1; fi`)
	d.eventually(t, "the mistake is told", `journalctl -u shelfd | grep 'was not reloaded' | grep '2x'`)
	d.sh(t, upload+"\ncat /tmp/good > /etc/shelf/shelfd.toml")
	if again := d.sh(t, "systemctl show -P MainPID shelfd"); again != pid {
		t.Errorf("reloads changed the process %s to %s", pid, again)
	}

	d.sh(t, "kill -KILL "+strings.TrimSpace(pid))
	d.eventually(t, "it was started again", `test "$(systemctl show -P NRestarts shelfd)" = 1 && `+upload)
	// An upload that does not end: it is cut off after the grace time, which is more
	// than the unit gives, since the server asks for it.
	d.sh(t, `head -c 10000000 /dev/zero > /tmp/large
		(echo put /tmp/large | sftp -q -l 800 -b - -P 2222 -i /root/id ada@127.0.0.1) > /dev/null 2>&1 &`)
	d.eventually(t, "an upload has begun", "shelfd who --state /var/lib/shelf | grep upload")
	d.sh(t, "systemctl stop shelfd; journalctl -u shelfd | grep 'grace time of 6s is over'")
	if result := d.sh(t, "systemctl show -P Result shelfd"); result != "success\n" {
		t.Errorf("it was stopped, with %s", result)
	}
}

// checkDeliverUnit starts the unit that tells others what happened, and does to it
// what its operator does.
func checkDeliverUnit(t *testing.T, d *debian) {
	t.Helper()
	d.eventually(t, "a file can be uploaded", upload)
	d.sh(t, "systemctl enable --now shelfd-deliver")
	arrived := func(n int) {
		t.Helper()
		d.sh(t, upload)
		d.eventually(t, "the command has run", fmt.Sprintf(`test "$(grep -c '^put hostname' /var/lib/shelf-deliver/arrived)" = %d`, n))
	}
	arrived(1)
	d.sh(t, `read -r _ _ uid < /var/lib/shelf-deliver/arrived; test "$uid" != 0 -a "$uid" != "$(id -u shelf)"
		! runuser -u nobody -- cat /var/lib/shelf-deliver/arrived
		shelfd deliver status --config /etc/shelf/shelfd.toml --state /var/lib/shelf-deliver`)
	d.sh(t, "systemctl reload shelfd-deliver")
	d.eventually(t, "it was reloaded", "journalctl -u shelfd-deliver | grep 'was reloaded'")
	arrived(2)
	d.sh(t, "mv /var/log/shelf/audit.jsonl /var/log/shelf/audit.jsonl.1; systemctl reload shelfd")
	arrived(3)
	d.sh(t, `kill -KILL "$(systemctl show -P MainPID shelfd-deliver)"`)
	d.eventually(t, "it was started again", `test "$(systemctl show -P NRestarts shelfd-deliver)" = 1`)
	arrived(4)
	d.sh(t, "systemctl stop shelfd-deliver")
	if result := d.sh(t, "systemctl show -P Result shelfd-deliver"); result != "success\n" {
		t.Errorf("it was stopped, with %s", result)
	}
}

// checkPathRecipe has the units and the script of docs/recipes.md move away what is in
// the library, before they are started and after.
func checkPathRecipe(t *testing.T, d *debian) {
	t.Helper()
	const heading = "### systemd.path"
	write := func(path, text string) {
		t.Helper()
		cmd := d.command("sh", "-euc", `cat > "$0"; chmod 755 "$0"`, path)
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	write("/etc/systemd/system/inbox.path", recipe(t, heading, "ini", 0, "/srv/shelf/inbox", "/srv/shelf/default"))
	write("/etc/systemd/system/inbox.service", recipe(t, heading, "ini", 1))
	write("/usr/local/bin/inbox", recipe(t, heading, "sh", 0, "/srv/shelf/inbox", "/srv/shelf/default"))
	d.sh(t, "install -d -o shelf -g shelf /srv/work; systemctl daemon-reload; "+upload+"; systemctl enable --now inbox.path")
	moved := func() {
		t.Helper()
		d.eventually(t, "the file is moved away", "cmp /etc/hostname /srv/work/hostname && test ! -e /srv/shelf/default/hostname && rm /srv/work/hostname")
	}
	moved()
	d.sh(t, upload)
	moved()
	d.sh(t, "systemctl disable --now inbox.path; test -d /srv/shelf/default/.shelf")
}
