package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnitsHandOver has one instance of the units follow the other with "shelfd
// upgrade", while a slow upload goes on and clients come all the time. Then one that
// can't do its work must not follow.
func TestUnitsHandOver(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	d := boot(t, newDebian, func(root string) {
		prepareUnit(t, root)
		for _, unit := range []string{"shelfd@.service", "shelfd.socket", "shelfd-listening.service"} {
			must(t, os.WriteFile(filepath.Join(root, "etc/systemd/system", unit), []byte(readText(t, "../contrib/"+unit)), 0o644))
		}
	})
	if said, err := d.try("systemd-analyze verify --man=no shelfd@blue.service shelfd.socket"); err != nil || said != "" {
		t.Errorf("systemd finds fault with the units: %v\n%s", err, said)
	}
	d.sh(t, `
		useradd --system --home /var/lib/shelf --shell /usr/sbin/nologin shelf
		install -d -m 750 -g shelf /etc/shelf /etc/shelf/keys
		install -d -o shelf -g shelf /srv/shelf /srv/shelf/default
		ssh-keygen -q -t ed25519 -N '' -f /root/id
		install -m 640 -g shelf /root/id.pub /etc/shelf/keys/ada
		systemctl start shelfd.socket shelfd@blue`)
	d.eventually(t, "a file can be uploaded", upload)
	d.sh(t, `head -c 4000000 /dev/zero > /tmp/large
		(echo put /tmp/large | sftp -q -l 4000 -b - -P 2222 -i /root/id ada@127.0.0.1; echo $? > /tmp/status) > /dev/null 2>&1 &`)
	d.eventually(t, "an upload has begun", "find /srv/shelf/default/.shelf -name 'stage-*' | grep .")
	d.sh(t, "shelfd upgrade --state /var/lib/shelf | grep 'shelfd@green.service serves now'")
	for range 20 {
		d.sh(t, upload)
	}
	d.eventually(t, "the slow upload ends", "test -s /tmp/status")
	if status := d.sh(t, "cat /tmp/status; cmp /tmp/large /srv/shelf/default/large"); status != "0\n" {
		t.Errorf("the slow upload ended with %s", status)
	}
	d.eventually(t, "the old instance ends", `systemctl is-active shelfd@blue | grep -x inactive`)
	d.sh(t, upload)
	if now, _ := d.try("systemctl is-active shelfd@green shelfd.socket shelfd@blue"); strings.Join(strings.Fields(now), " ") != "active active inactive" {
		t.Errorf("the new instance, the socket and the old instance are %s", now)
	}
	if enabled, _ := d.try("systemctl is-enabled shelfd@green shelfd@blue"); strings.Join(strings.Fields(enabled), " ") != "enabled disabled" {
		t.Errorf("the new instance and the old one are %s", enabled)
	}
	failed := d.sh(t, `
		cp -p /etc/shelf/shelfd.toml /tmp/good
		sed -i '1i min_free_space = "1000TiB"' /etc/shelf/shelfd.toml
		if shelfd upgrade --state /var/lib/shelf 2>&1; then echo it is upgraded; exit 1; fi
		cp /tmp/good /etc/shelf/shelfd.toml
		shelfd status --json --state /var/lib/shelf | grep -w "\"pid\":$(systemctl show -P MainPID shelfd@green)" > /dev/null`)
	if !strings.Contains(failed, "is not healthy: library") {
		t.Errorf("the upgrade that fails says\n%s", failed)
	}
	d.sh(t, upload)
	d.eventually(t, "the instance that failed has ended", "systemctl is-active shelfd@blue | grep -x inactive")
}
