package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"shelf/vfs"
	"shelf/vfs/local"
)

// Who has published a file last outlasts the server, a rename and a change of size,
// and is what the quota of an account counts.
func TestAccountQuota(t *testing.T) {
	path := t.TempDir()
	open := func() *local.Dir {
		d, err := local.Open(path, local.Options{AccountQuota: 10 * block})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	d := open()
	of := func(owner string) vfs.CreateOptions { return vfs.CreateOptions{Owner: owner} }
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("%s: %v", what, err)
		}
	}
	done := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	done(putSize(t, d, "a", 6*block, of("ada")))
	owners, err := d.Owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := owners["ada"]; !ok {
		t.Skip("this file system has no extended attributes")
	}
	refused("past the quota", putSize(t, d, "b", 5*block, of("ada")))
	done(putSize(t, d, "b", 9*block, of("bob")))
	done(putSize(t, d, "a", 10*block, of("ada"))) // in the place of its own
	refused("past the quota", putSize(t, d, "c", 1, of("ada")))
	if _, err := d.Rename(t.Context(), "a", "renamed", false); err != nil {
		t.Fatal(err)
	}
	resize := func(size int64) error {
		_, err := d.SetAttr(t.Context(), "renamed", vfs.Attr{HasSize: true, Size: size})
		return err
	}
	refused("another size past the quota", resize(11*block))
	done(resize(5 * block))
	refused("past the quota after another size", putSize(t, d, "c", 6*block, of("ada")))
	done(resize(10 * block))
	d.Close()
	d = open()
	refused("after a restart", putSize(t, d, "c", 1, of("ada")))
	done(d.Remove(t.Context(), "renamed"))
	done(putSize(t, d, "c", 10*block, of("ada")))
	done(putSize(t, d, "c", 1*block, of("bob"))) // bob's from now on
	done(putSize(t, d, "d", 10*block, of("ada")))
	done(os.WriteFile(filepath.Join(path, "planted"), make([]byte, 20*block), 0o600))
	owners, err = d.Owners(t.Context())
	if err != nil || owners["ada"] != (vfs.UsageInfo{Bytes: 10 * block, Files: 1}) ||
		owners["bob"] != (vfs.UsageInfo{Bytes: 10 * block, Files: 2}) || owners[""].Files != 1 {
		t.Errorf("owners are %v, %v", owners, err)
	}
}

// An upload that keeps no partial is the account's all the same, also when it gets
// another name.
func TestAccountQuotaWithoutPartial(t *testing.T) {
	d, _ := openDir(t, local.Options{AccountQuota: 10 * block})
	if err := putSize(t, d, "g", block, vfs.CreateOptions{Owner: "bob"}); err != nil {
		t.Fatal(err)
	}
	if all, err := d.Owners(t.Context()); err != nil || all["bob"].Files == 0 {
		t.Skipf("this file system has no extended attributes (%v)", err)
	}
	u, err := d.Create(t.Context(), "~temporary", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada", NoPartial: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.WriteAt(make([]byte, 11*block), 0); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("past the quota: %v", err)
	}
	u.Abort()
	u, err = d.Create(t.Context(), "~temporary", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada", NoPartial: true})
	if err == nil {
		_, err = u.WriteAt(make([]byte, 9*block), 0)
	}
	if err == nil {
		err = u.Rename("f", true)
	}
	if err == nil {
		err = commit(u)
	}
	if err != nil {
		t.Fatal(err)
	}
	if all, err := d.Owners(t.Context()); err != nil || all["ada"].Bytes != 9*block {
		t.Errorf("the owners: %+v (%v)", all, err)
	}
}
