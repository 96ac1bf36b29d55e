package local_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
)

// fileSystems are folders for libraries, on the kinds of file systems that number
// inodes differently: ext4 gives a number again at once, tmpfs does not.
func fileSystems(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"the usual one": t.TempDir()}
	if path, err := os.MkdirTemp("/dev/shm", "shelf"); err == nil {
		t.Cleanup(func() { os.RemoveAll(path) })
		all["tmpfs"] = path
	}
	return all
}

// No two of many files that replace each other within a tick of the clock are
// taken for one, with inode numbers used again.
func TestVersionsAreNotUsedAgain(t *testing.T) {
	for name, path := range fileSystems(t) {
		t.Run(name, func(t *testing.T) {
			d := reopen(t, path, local.Options{Durability: local.NoFsync})
			seen, inodes := make(map[vfs.Version]int), make(map[uint64]bool)
			for n := range 500 {
				i := upload(t, d, "f", "same")
				if before, ok := seen[i.Version]; ok {
					t.Fatalf("file %d has the version of file %d", n, before)
				}
				seen[i.Version] = n
				var st unix.Stat_t
				if err := unix.Stat(path+"/f", &st); err != nil {
					t.Fatal(err)
				}
				inodes[st.Ino] = true
			}
			t.Logf("%d files had %d inode numbers", len(seen), len(inodes))
		})
	}
}

// dated is what the clients here give all files as their time, as put -p does.
func dated() vfs.Attr {
	when := time.Unix(1_000_000_000, 0)
	return vfs.Attr{HasTimes: true, Atime: when, Mtime: when}
}

// upload publishes a file.
func upload(t *testing.T, d *local.Dir, name, text string) vfs.Info {
	t.Helper()
	u, err := d.Create(t.Context(), name, vfs.CreateOptions{Create: true, Truncate: true})
	if err == nil {
		_, err = u.WriteAt([]byte(text), 0)
	}
	if err == nil {
		err = u.SetAttr(dated())
	}
	var c vfs.Change
	if err == nil {
		c, err = u.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.After
}

// An account that may only put files in sees its own and may change them. Its file
// was replaced twice, the last one got the inode number of its own, and it saw
// that and made it empty. What it renames or changes itself stays its own.
func TestDropBoxOfUsedInodes(t *testing.T) {
	for name, path := range fileSystems(t) {
		t.Run(name, func(t *testing.T) {
			d := reopen(t, path, local.Options{Durability: local.NoFsync})
			for n := range 100 {
				s := access.New(context.Background(), access.Options{Library: d, Account: "ada", Permissions: vfs.Permissions{Write: true}})
				mine := fmt.Sprint("mine ", n)
				w, err := s.Create("f", access.Replace(0))
				if err == nil {
					_, err = w.WriteAt([]byte("mine"), 0)
				}
				if err == nil {
					err = w.Commit()
				}
				if err == nil {
					err = s.Rename("f", mine, false)
				}
				if err == nil {
					err = s.SetAttr(mine, dated())
				}
				if err != nil || !s.Exists(mine) {
					t.Fatalf("its own: %v, it exists: %v", err, s.Exists(mine))
				}
				upload(t, d, mine, "boss")
				upload(t, d, mine, "boss")
				if s.Exists(mine) {
					t.Fatalf("round %d: it sees another account's file", n)
				}
				if err := s.SetAttr(mine, vfs.Attr{HasSize: true}); err == nil {
					t.Fatalf("round %d: it made another account's file empty", n)
				}
			}
		})
	}
}
