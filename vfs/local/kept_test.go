package local_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// putText publishes a file with this content.
func putText(t testing.TB, d *local.Dir, name, text string) error {
	return vfstest.TryPut(t.Context(), d, name, []byte(text), vfs.CreateOptions{})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// history is the content of each version of a name, the oldest first: read from where
// it lies.
func history(t testing.TB, d *local.Dir, path, name string) (texts []string) {
	t.Helper()
	all, err := d.Versions(t.Context(), name)
	must(t, err)
	for _, v := range slices.Backward(all) {
		b, err := os.ReadFile(filepath.Join(path, ".shelf", "versions", name, v.ID))
		must(t, err)
		texts = append(texts, string(b))
	}
	return texts
}

func readText(t testing.TB, d *local.Dir, name string) string {
	t.Helper()
	f, err := d.Open(t.Context(), name)
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	must(t, err)
	return string(b)
}

// Of each name so many versions stay, and the oldest go first; with a smaller number
// the next change has them go. With 0 no new one comes, and those that are there stay
// for who wants them back.
func TestVersionsOfANameAreCounted(t *testing.T) {
	d, path := openDir(t, local.Options{Versions: local.VersionRules{PerName: 3}})
	for n := range 6 {
		must(t, putText(t, d, "f", fmt.Sprint(n)))
	}
	must(t, putText(t, d, "g", "other"))
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"2", "3", "4"}) {
		t.Errorf("kept are %q", got)
	}
	d.Change(local.Options{Versions: local.VersionRules{PerName: 2}})
	must(t, d.Remove(t.Context(), "f"))
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"4", "5"}) {
		t.Errorf("kept are %q", got)
	}
	d.Change(local.Options{})
	must(t, putText(t, d, "f", "6"))
	must(t, putText(t, d, "f", "7"))
	all, err := d.Versions(t.Context(), "f")
	must(t, err)
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"4", "5"}) {
		t.Errorf("kept are %q", got)
	}
	if _, err := d.Restore(t.Context(), "f", all[0].ID, true); err != nil || readText(t, d, "f") != "5" {
		t.Errorf("%q is back, %v", readText(t, d, "f"), err)
	}
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"4", "7"}) {
		t.Errorf("what was restored over is lost: kept are %q", got)
	}
}

// What is older than it may be goes at a sweep, and its folder with the last one. What
// is held stays.
func TestVersionsAge(t *testing.T) {
	rules := local.VersionRules{PerName: 9, MaxAge: time.Hour}
	d, path := openDir(t, local.Options{Versions: rules})
	must(t, putText(t, d, "f", "a"))
	must(t, putText(t, d, "f", "b"))
	must(t, putText(t, d, "f", "c"))
	must(t, d.Close())
	folder := filepath.Join(path, ".shelf", "versions", "f")
	ids, err := os.ReadDir(folder)
	must(t, err)
	for n, e := range ids {
		old := time.Now().UTC().Add(time.Duration(n-len(ids)) * time.Hour).Format("20060102T150405.000000Z")
		must(t, os.Rename(filepath.Join(folder, e.Name()), filepath.Join(folder, old)))
	}
	d = reopen(t, path, local.Options{Versions: rules, Hold: vfs.Hold{Always: true}})
	must(t, d.Sweep(t.Context()))
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("held are %q", got)
	}
	d.Change(local.Options{Versions: local.VersionRules{PerName: 9, MaxAge: 90 * time.Minute}})
	must(t, d.Sweep(t.Context()))
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"b"}) {
		t.Errorf("kept are %q", got)
	}
	d.Change(local.Options{Versions: rules})
	must(t, d.Sweep(t.Context()))
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

// Versions count for the quota, and take no room from uploads: the oldest go first,
// also that of the file that is replaced. What is charged is what is there.
func TestQuotaHoldsWithVersions(t *testing.T) {
	const quota = 640 * block
	o := local.Options{Quota: quota, Versions: local.VersionRules{PerName: 100}}
	d, path := openDir(t, o)
	check := func(what string) {
		t.Helper()
		var disk int64
		for _, folder := range []string{".", ".shelf/versions/*"} {
			files, _ := filepath.Glob(filepath.Join(path, folder, "*"))
			for _, f := range files {
				if i, err := os.Stat(f); err == nil && i.Mode().IsRegular() {
					disk += max(i.Size(), block)
				}
			}
		}
		held, ok := d.Charged()
		if !ok || held.Bytes != disk || disk > quota {
			t.Errorf("%s: %d blocks are charged, %d are there", what, held.Bytes/block, disk/block)
		}
	}
	size := func(n int64, letter string) string { return strings.Repeat(letter, int(n*block)) }
	kept := func(name string) (all []string) {
		t.Helper()
		for _, text := range history(t, d, path, name) {
			all = append(all, text[:1])
		}
		return all
	}
	for n, letter := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		must(t, putText(t, d, "f", size(100, letter)))
		check(fmt.Sprint("overwrite ", n))
	}
	if got := kept("f"); !slices.Equal(got, []string{"d", "e", "f", "g"}) && !slices.Equal(got, []string{"c", "d", "e", "f", "g"}) {
		t.Errorf("kept are %q", got)
	}
	must(t, d.Remove(t.Context(), "f"))
	check("a remove")
	all, err := d.Versions(t.Context(), "f")
	must(t, err)
	if _, err := d.Restore(t.Context(), "f", all[1].ID, true); err != nil || readText(t, d, "f")[:1] != "g" {
		t.Errorf("restore: %v", err)
	}
	check("a restore")
	was := kept("f")
	if err := putText(t, d, "large", size(700, "l")); !errors.Is(err, vfs.ErrNoSpace) || !slices.Equal(kept("f"), was) {
		t.Errorf("one that can't fit: %v; kept are %q of %q", err, kept("f"), was)
	}
	must(t, putText(t, d, "large", size(500, "l")))
	check("a large file")
	if got := kept("f"); len(got) > 0 {
		t.Errorf("kept are %q", got)
	}
	must(t, putText(t, d, "large", size(520, "m")))
	check("one that leaves no room for what it replaces")
	if got := kept("large"); len(got) > 0 {
		t.Errorf("kept are %q", got)
	}
	if err := putText(t, d, "more", size(50, "x")); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("past the quota: %v", err)
	}
	must(t, d.Remove(t.Context(), "f"))
	must(t, putText(t, d, "more", size(50, "x")))
	check("where a removed file was")

	// What is held is not removed for others.
	must(t, d.Remove(t.Context(), "large"))
	o.Hold = vfs.Hold{Always: true}
	d.Change(o)
	if err := putText(t, d, "new", size(200, "n")); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("a version of a held library was removed: %v", err)
	}
	if got := kept("large"); !slices.Equal(got, []string{"m"}) {
		t.Errorf("kept are %q", got)
	}
	d.Change(local.Options{MaxFiles: 3, Versions: o.Versions})
	must(t, putText(t, d, "more", "1"))
	must(t, putText(t, d, "new", "1"))
	must(t, putText(t, d, "newer", "1"))
	if err := putText(t, d, "newest", "1"); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("past max_files: %v", err)
	}
}

// A crash between the two steps of a replacement leaves the file with two names: it is
// one file, and no version.
func TestLeftoversAreNoVersions(t *testing.T) {
	o := local.Options{Quota: 100 * block, Versions: local.VersionRules{PerName: 9}}
	d, path := openDir(t, o)
	must(t, putText(t, d, "f", "first"))
	must(t, putText(t, d, "f", "second"))
	folder := filepath.Join(path, ".shelf", "versions", "f")
	id := time.Now().UTC().Format("20060102T150405.000000Z")
	must(t, os.Link(filepath.Join(path, "f"), filepath.Join(folder, id)))
	check := func(d *local.Dir) {
		t.Helper()
		if got := history(t, d, path, "f"); !slices.Equal(got, []string{"first"}) {
			t.Errorf("versions are %q", got)
		}
		if _, err := d.Restore(t.Context(), "f", id, true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("restored: %v", err)
		}
		if got := readText(t, d, "f"); got != "second" {
			t.Errorf("it has %q", got)
		}
	}
	check(d)
	must(t, d.Close())
	d = reopen(t, path, o)
	check(d)
	if u, err := d.Usage(t.Context()); err != nil || u.Files != 2 {
		t.Errorf("it counts %+v, %v", u, err)
	}
	must(t, d.Sweep(t.Context()))
	check(d)
	if _, err := os.Lstat(filepath.Join(folder, id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	must(t, putText(t, d, "f", "third"))
	if got := history(t, d, path, "f"); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("versions are %q", got)
	}
}

// The second name that a file of another user has in the history makes it no foreign
// one; a third one elsewhere does.
func TestOurLinksAreNotForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	d, path := openDir(t, local.Options{Versions: local.VersionRules{PerName: 9}})
	must(t, putText(t, d, "f", "first"))
	must(t, putText(t, d, "f", "second"))
	must(t, os.Chown(filepath.Join(path, "f"), 12345, 12345))
	must(t, os.Link(filepath.Join(path, "f"), filepath.Join(path, ".shelf", "versions", "f", time.Now().UTC().Format("20060102T150405.000000Z"))))
	if got := readText(t, d, "f"); got != "second" {
		t.Errorf("it has %q", got)
	}
	must(t, putText(t, d, "f", "third"))
	if got := history(t, d, path, "f"); !slices.Contains(got, "second") {
		t.Errorf("versions are %q", got)
	}
	must(t, os.Chown(filepath.Join(path, "f"), 12345, 12345))
	must(t, os.Link(filepath.Join(path, "f"), filepath.Join(t.TempDir(), "elsewhere")))
	if _, err := d.Stat(t.Context(), "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file from elsewhere: %v", err)
	}
}

// Several servers replace, remove and restore the same names, and sweep meanwhile: each
// content that was published is there once, published or kept.
func TestVersionsOfSeveralServers(t *testing.T) {
	const servers, rounds = 3, 40
	o := local.Options{Durability: local.NoFsync, Quota: 1 << 30, Versions: local.VersionRules{PerName: 10000}}
	first, path := openDir(t, o)
	dirs := []*local.Dir{first}
	for range servers - 1 {
		dirs = append(dirs, reopen(t, path, o))
	}
	names := []string{"a", "b"}
	var all sync.WaitGroup
	for n, d := range dirs {
		all.Go(func() {
			for r := range rounds {
				name := names[r%len(names)]
				if err := putText(t, d, name, fmt.Sprintf("%s %d %d", name, n, r)); err != nil {
					t.Error(err)
				}
				if r%5 == n {
					if err := d.Remove(t.Context(), name); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Error(err)
					}
				}
				if versions, err := d.Versions(t.Context(), name); err == nil && r%4 == 0 && len(versions) > 0 {
					if _, err := d.Restore(t.Context(), name, versions[len(versions)/2].ID, true); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Error(err)
					}
				}
			}
		})
		all.Go(func() {
			for range rounds {
				if err := d.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	found := make(map[string]int)
	for _, name := range names {
		for _, text := range history(t, first, path, name) {
			found[text]++
		}
		if _, err := first.Stat(t.Context(), name); err == nil {
			found[readText(t, first, name)]++
		}
	}
	for n := range servers {
		for r := range rounds {
			text := fmt.Sprintf("%s %d %d", names[r%len(names)], n, r)
			if found[text] != 1 {
				t.Errorf("%q is there %d times", text, found[text])
			}
			delete(found, text)
		}
	}
	if len(found) > 0 {
		t.Errorf("there is more: %v", found)
	}
	if u, err := first.Usage(t.Context()); err != nil || u.Files != servers*rounds {
		t.Errorf("it counts %+v, %v", u, err)
	}
	if held, _ := first.Charged(); held.Files != servers*rounds {
		t.Errorf("charged are %+v", held)
	}
}

// Who only announces much, a size or a write far behind the end, makes no version go for
// the disk; nor does what a quota refuses.
func TestAnnouncedBytesTakeNoVersions(t *testing.T) {
	o := local.Options{Versions: local.VersionRules{PerName: 100}}
	d, _ := openDir(t, o)
	for _, letter := range []string{"a", "b", "c", "d"} {
		must(t, putText(t, d, "f", strings.Repeat(letter, 40*block)))
	}
	kept := func() int {
		t.Helper()
		all, err := d.Versions(t.Context(), "f")
		must(t, err)
		return len(all)
	}
	o.MinFreeSpace, o.AccountQuota = 1<<60, 10*block
	d.Change(o)
	try := func(owner string, do func(vfs.Upload) error) error {
		t.Helper()
		u, err := d.Create(t.Context(), "new", vfs.CreateOptions{Create: true, Owner: owner})
		must(t, err)
		defer u.Abort()
		return do(u)
	}
	resize := func(u vfs.Upload) error { return u.SetAttr(resizeTo(100 * block)) }
	far := func(u vfs.Upload) error { _, err := u.WriteAt([]byte("x"), 100*block); return err }
	whole := func(u vfs.Upload) error { _, err := u.WriteAt(make([]byte, 100*block), 0); return err }
	for what, do := range map[string]func(vfs.Upload) error{"a size": resize, "a far write": far, "a write": whole} {
		if err := try("ada", do); !errors.Is(err, vfs.ErrNoSpace) || kept() != 3 {
			t.Errorf("%s past the account's quota: %v; %d versions are kept", what, err, kept())
		}
	}
	if err := try("", resize); err != nil || kept() != 3 {
		t.Errorf("a size: %v; %d versions are kept", err, kept())
	}
	if try("", far); kept() != 2 {
		t.Errorf("one byte far behind the end: %d versions are kept", kept())
	}
}

// An operator may remove all versions while the library is served.
func TestVersionsFolderIsRemoved(t *testing.T) {
	d, path := openDir(t, local.Options{Versions: local.VersionRules{PerName: 9}})
	must(t, putText(t, d, "f", "1"))
	must(t, putText(t, d, "f", "2"))
	must(t, os.RemoveAll(filepath.Join(path, ".shelf/versions")))
	must(t, d.Sweep(t.Context()))
	if all := history(t, d, path, "f"); len(all) > 0 {
		t.Errorf("kept are %q", all)
	}
	must(t, putText(t, d, "f", "3"))
	if all := history(t, d, path, "f"); !slices.Equal(all, []string{"2"}) {
		t.Errorf("kept are %q", all)
	}
	must(t, d.Remove(t.Context(), "f"))
}
