package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// newRelease is a release of the commit after that of oldRelease. Nothing differs but
// the version.
var newRelease = sync.OnceValues(func() (aRelease, error) { return makeRelease("new", releaseTime.Add(time.Hour)) })

// both puts the packages of two releases where root of a Debian has old.KIND and new.KIND.
func both(t *testing.T, before, after aRelease, suffix, kind string) (prepare func(root string)) {
	return func(root string) {
		folder := filepath.Join(root, "root")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]aRelease{"old.": before, "new.": after} {
			if err := os.WriteFile(filepath.Join(folder, name+kind), slurp(t, r.file(t, suffix)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestInstalled does what the README shows on a new Debian: install the package, set
// the server up, upload. Then it upgrades while a file is uploaded, takes the
// package away, and purges it.
func TestInstalled(t *testing.T) {
	before, after := released(t, oldRelease), released(t, newRelease)
	d := boot(t, oldDebian, both(t, before, after, "_amd64.deb", "deb"))

	// Three commands.
	began := time.Now()
	d.sh(t, "dpkg -i /root/old.deb")
	said := d.sh(t, "shelfd init --yes --account ada --host localhost")
	d.sh(t, `echo put /etc/hostname | sftp -q -b - -P 2222 -o StrictHostKeyChecking=accept-new ada@localhost`)
	t.Logf("installed, set up and uploaded in %v; init says:\n%s", time.Since(began).Round(time.Millisecond), said)

	// What init says is so.
	d.sh(t, `shelfd hostkey --config /etc/shelf/shelfd.toml | grep -o 'SHA256:[^ ]*' | head -1 > /tmp/fingerprint || true
		ssh-keyscan -q -t ed25519 -p 2222 localhost | ssh-keygen -lf - | cut -d ' ' -f 2 > /tmp/scanned`)
	if scanned := strings.TrimSpace(d.sh(t, "cat /tmp/scanned")); !strings.Contains(said, scanned) {
		t.Errorf("init does not say the fingerprint %s:\n%s", scanned, said)
	}
	if enabled := d.sh(t, "systemctl is-enabled shelfd"); enabled != "enabled\n" {
		t.Errorf("the unit is %s", enabled)
	}
	if owners := d.sh(t, "stat -c '%U:%G:%a %n' /etc/shelf /etc/shelf/* /var/lib/shelf /var/log/shelf /srv/shelf/default"); owners != `root:shelf:750 /etc/shelf
root:shelf:750 /etc/shelf/keys
root:shelf:640 /etc/shelf/shelfd.toml
shelf:shelf:700 /var/lib/shelf
shelf:shelf:750 /var/log/shelf
shelf:shelf:750 /srv/shelf/default
` {
		t.Errorf("files belong to\n%s", owners)
	}
	d.sh(t, "logrotate --version > /dev/null 2>&1 || true; man -w shelfd.toml > /dev/null 2>&1 || test -e /usr/share/man/man5/shelfd.toml.5")
	if again, err := d.try("shelfd init --yes --account ada --listen :2223"); err == nil || !strings.Contains(again, "is there already") {
		t.Errorf("a second init with other answers: %v\n%s", err, again)
	}

	// Others.
	d.sh(t, `ssh-keygen -q -t ed25519 -N '' -f /root/bob
		shelfd add bob /root/bob.pub
		echo ls | sftp -q -b - -P 2222 -i /root/bob bob@localhost
		shelfd add guest --invite --host localhost > /tmp/invitation
		systemctl reload shelfd`)
	d.eventually(t, "it was reloaded", `journalctl -u shelfd | grep 'was reloaded'`)
	// The invitation up to its sftp command is for the shell of the guest.
	d.sh(t, `cd /tmp; sed -n '/^(umask/,/^sftp/p' invitation | sed '$s/^sftp/sftp -q -b -/' > accept
		echo put /etc/hostname from-guest > batch; sh -e accept < batch
		test -e /srv/shelf/default/from-guest
		echo get hostname > batch; ! sh -e accept < batch`)

	// The upgrade waits for an upload, which takes some seconds.
	d.sh(t, `sed -i '1i grace = "1m"' /etc/shelf/shelfd.toml && systemctl restart shelfd
		head -c 6000000 /dev/urandom > /root/large`)
	d.eventually(t, "it was started again", "echo ls | sftp -q -b - -P 2222 ada@localhost")
	d.sh(t, `(echo put /root/large | sftp -q -l 8000 -b - -P 2222 ada@localhost; echo $? > /root/upload.status) > /root/upload.log 2>&1 &`)
	d.eventually(t, "the upload has begun", "shelfd who --config /etc/shelf/shelfd.toml | grep upload")
	upgrade := d.sh(t, "dpkg -i /root/new.deb")
	if !strings.Contains(upgrade, "\"1m\" (grace)") {
		t.Errorf("the upgrade does not say that it restarts the server:\n%s", upgrade)
	}
	d.sh(t, `journalctl -u shelfd | grep 'stopping grace=1m'
		cmp /root/large /srv/shelf/default/large && test "$(cat /root/upload.status)" = 0 || { cat /root/upload.log; false; }`)
	if status := d.sh(t, "dpkg-query -W -f '${Version}' shelf; shelfd version --json; systemctl is-active shelfd"); !strings.Contains(status, "+git20260102040405") || !strings.Contains(status, "\nactive") {
		t.Errorf("after the upgrade: %s", status)
	}
	d.eventually(t, "the new server serves", `echo get hostname /tmp/back | sftp -q -b - -P 2222 ada@localhost`)

	// With the units of instances the upgrade waits for nobody.
	d.sh(t, `systemctl disable --now shelfd; systemctl enable --now shelfd.socket shelfd@blue
		(echo put /root/large again | sftp -q -l 8000 -b - -P 2222 ada@localhost & echo $! > /root/again.pid; wait $!; echo $? > /root/again.status) > /root/upload.log 2>&1 &`)
	d.eventually(t, "the upload has begun", "shelfd who --config /etc/shelf/shelfd.toml | grep upload")
	d.sh(t, "kill -STOP $(cat /root/again.pid)") // it takes as long as the upgrade takes
	if said := d.sh(t, "dpkg -i /root/old.deb 2>&1; echo ls | sftp -q -b - -P 2222 ada@localhost; test ! -e /root/again.status; kill -CONT $(cat /root/again.pid)"); !strings.Contains(said, "shelfd@green.service serves now") {
		t.Errorf("the upgrade of an instance says\n%s", said)
	}
	d.eventually(t, "the upload has ended well", "test 0 = $(cat /root/again.status) && cmp /root/large /srv/shelf/default/again")

	d.sh(t, "dpkg -r shelf")
	d.sh(t, `! systemctl is-active shelfd shelfd@green shelfd@blue shelfd.socket; ! ssh-keyscan -p 2222 localhost 2> /dev/null | grep .; test -e /etc/shelf/shelfd.toml -a -e /var/lib/shelf/ssh_host_ed25519_key -a -e /srv/shelf/default/large`)
	d.sh(t, "DEBIAN_FRONTEND=noninteractive dpkg -P shelf")
	d.sh(t, `test ! -e /etc/shelf -a -e /var/lib/shelf/ssh_host_ed25519_key -a -e /srv/shelf/default/large`)

	// Who answers yes to the question of purge has host keys and audit log removed.
	d.sh(t, `dpkg -i /root/new.deb; echo shelf shelf/purge boolean true | debconf-set-selections
		DEBIAN_FRONTEND=noninteractive dpkg -P shelf
		test ! -e /var/lib/shelf -a ! -e /var/log/shelf -a -e /srv/shelf/default/large`)
}

// TestInstalledByRPM has rpm install, upgrade and remove its package: rpm calls the
// scripts in it with other words and in another order than dpkg. It does so in a
// Debian, whose packages rpm does not know.
func TestInstalledByRPM(t *testing.T) {
	before, after := released(t, oldRelease), released(t, newRelease)
	d := boot(t, oldDebian, both(t, before, after, "x86_64.rpm", "rpm"))
	const rpm = "rpm --force-debian --nodeps "
	began := time.Now()

	if said := d.sh(t, rpm+"-i /root/old.rpm"); !strings.Contains(said, "run: shelfd init") {
		t.Errorf("rpm -i says %q", said)
	}
	// The scripts change whom the configuration belongs to, and nothing else of what is packed.
	if changed := d.sh(t, `rpm --force-debian -V --nodeps shelf || true`); changed != ".M....G..  c /etc/shelf/shelfd.toml\n" {
		t.Errorf("of the package are not as packed:\n%s", changed)
	}
	d.sh(t, `shelfd init --yes --account ada --host localhost
		sed -i '1i grace = "1m"' /etc/shelf/shelfd.toml && systemctl restart shelfd`)
	upload := `echo put /etc/hostname %s | sftp -q -b - -P 2222 -o StrictHostKeyChecking=accept-new ada@localhost`
	d.eventually(t, "it serves", fmt.Sprintf(upload, "before"))

	if said := d.sh(t, rpm+"-U /root/new.rpm"); !strings.Contains(said, `"1m" (grace)`) {
		t.Errorf("the upgrade does not say that it restarts the server:\n%s", said)
	}
	d.sh(t, `test "$(systemctl is-enabled shelfd; systemctl is-active shelfd)" = "$(printf 'enabled\nactive')"
		rpm --force-debian -q shelf | grep 20260102040405
		pid=$(systemctl show -P MainPID shelfd); test "$(readlink /proc/$pid/exe)" = /usr/bin/shelfd
		grep -q 'grace = "1m"' /etc/shelf/shelfd.toml; test "$(stat -c %U:%G:%a /etc/shelf/shelfd.toml)" = root:shelf:640`)
	d.eventually(t, "the new server serves", fmt.Sprintf(upload, "after"))

	if said := d.sh(t, "rpm --force-debian -e shelf 2>&1"); !strings.Contains(said, "kept /etc/shelf") {
		t.Errorf("rpm -e says %q", said)
	}
	d.sh(t, `! systemctl is-active shelfd; ! systemctl is-enabled shelfd; test ! -e /usr/bin/shelfd
		test -e /etc/shelf/shelfd.toml.rpmsave -a -e /var/lib/shelf/ssh_host_ed25519_key -a -e /srv/shelf/default/before -a -e /srv/shelf/default/after`)
	t.Logf("installed, upgraded and removed in %v", time.Since(began).Round(time.Millisecond))
}
