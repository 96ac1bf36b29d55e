package local

import (
	"errors"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/local/quota"
)

// What an account has published through another server counts for its quota when the
// count is some seconds old: it could publish as much through each server.
func TestAccountQuotaOfTwoServers(t *testing.T) {
	path := t.TempDir()
	o := Options{Durability: NoFsync, AccountQuota: 10 * quota.MinCost}
	var both [2]*Dir
	for n := range both {
		d, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		both[n] = d
	}
	publish := func(d *Dir, name string, blocks int64) error {
		u, err := d.Create(t.Context(), name, vfs.CreateOptions{Create: true, Owner: "ada"})
		if err != nil {
			return err
		}
		if err := u.SetAttr(vfs.Attr{HasSize: true, Size: blocks * quota.MinCost}); err != nil {
			return errors.Join(err, u.Abort())
		}
		_, err = u.Commit(t.Context())
		return err
	}
	for n, d := range both { // both have counted then
		if err := publish(d, []string{"a", "b"}[n], 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(both[0], "c", 7); err != nil {
		t.Fatal(err)
	}
	pass(both[1])
	if err := publish(both[1], "d", 2); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("past the quota: %v", err)
	}
	if err := publish(both[1], "d", 1); err != nil {
		t.Error("what is left of it:", err)
	}
	if err := both[1].Remove(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := publish(both[0], "e", 7); err != nil {
		t.Error("what the other has removed:", err)
	}
}

// pass is as if the time had passed that a count is good for.
func pass(d *Dir) {
	d.owners.mu.Lock()
	defer d.owners.mu.Unlock()
	d.owners.looked = time.Time{}
}
