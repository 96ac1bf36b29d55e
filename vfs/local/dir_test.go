package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/local/digests"
	"shelf/vfs/vfstest"
)

// openDir opens a library in a folder of its own.
func openDir(t testing.TB, o local.Options) (*local.Dir, string) {
	t.Helper()
	path := t.TempDir()
	return reopen(t, path, o), path
}

func reopen(t testing.TB, path string, o local.Options) *local.Dir {
	t.Helper()
	if *beside {
		openBeside(t, path, o)
	}
	return openOne(t, path, o)
}

// openOne opens a library, as one instance.
func openOne(t testing.TB, path string, o local.Options) *local.Dir {
	t.Helper()
	d, err := local.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDir(t *testing.T) {
	cache := digests.New(filepath.Join(t.TempDir(), "none", "digests"), slog.New(slog.DiscardHandler))
	keep := local.VersionRules{PerName: 1000}
	for _, o := range []local.Options{{}, {Durability: local.NoFsync}, {Quota: 1 << 30, Digests: cache}, {Quota: 1 << 30, Versions: keep}} {
		t.Run(fmt.Sprintf("%s quota %d versions %d", o.Durability, o.Quota, o.Versions.PerName), func(t *testing.T) {
			vfstest.Test(t, func(t *testing.T) vfs.Library {
				d, path := openDir(t, o)
				files := openFiles(t)
				if o.Quota > 0 {
					files += len(instances(t, path)) - 1 // the shares of the others
				}
				t.Cleanup(func() {
					if now := openFiles(t); now > files {
						t.Errorf("%d files open, %d before", now, files)
					}
					stagesAre(t, path, 0)
				})
				return d
			})
		})
	}
}

// openFiles counts this process's descriptors.
func openFiles(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// stagesAre checks how many stages and partials lie in the stage folder.
func stagesAre(t testing.TB, library string, want int) {
	t.Helper()
	all := stages(t, library)
	if len(all) != want {
		t.Errorf("%d stages lie there, want %d: %v", len(all), want, all)
	}
}

// stages are the paths of all that lies in the stage folder but locks and versions.
func stages(t testing.TB, library string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(library, ".shelf"), func(path string, e fs.DirEntry, err error) error {
		if e != nil && e.Name() == "versions" {
			return fs.SkipDir
		}
		if base := filepath.Base(path); err == nil && !e.IsDir() && base != "lock" && base != "names" && base != "owner" {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// plant puts into a folder everything that is not a file of a library, each
// under a name that one could have, and returns the names.
func plant(t testing.TB, path string) []string {
	t.Helper()
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret")
	write(t, filepath.Join(path, "real"), "real")
	in := func(name string) string { return filepath.Join(path, name) }
	socket, err := net.Listen("unix", in("socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	for _, err := range []error{
		os.Mkdir(in("folder"), 0o755),
		os.Symlink(outside, in("link out")),
		os.Symlink("real", in("link in")),
		os.Symlink("nowhere", in("dangling")),
		unix.Mkfifo(in("fifo"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, in("folder/inner"), "inner")
	for _, name := range []string{".dot", "new\nline", "esc\x1b[2J", "bad\xffutf8"} {
		write(t, in(name), name)
	}
	return []string{"socket", "folder", "link out", "link in", "dangling", "fifo", ".dot", "new\nline", "esc\x1b[2J", "bad\xffutf8", "folder/inner", ".shelf"}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// snapshot describes a tree, contents and targets and modes.
func snapshot(t testing.TB, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		fmt.Fprintf(&b, "%q %v", p, i.Mode())
		if i.Mode().IsRegular() {
			text, _ := os.ReadFile(p)
			fmt.Fprintf(&b, " %q", text)
		}
		to, _ := os.Readlink(p)
		fmt.Fprintln(&b, to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is not a regular file with a good name does not exist, and stays as it is.
func TestDirPlanted(t *testing.T) {
	d, path := openDir(t, local.Options{})
	planted := plant(t, path)
	before := snapshot(t, path)
	ctx := t.Context()
	for i, err := range d.List(ctx) {
		if err != nil || i.Name != "real" {
			t.Errorf("listed %v, %v", i, err)
		}
	}
	for _, name := range planted {
		_, statErr := d.Stat(ctx, name)
		_, openErr := d.Open(ctx, name)
		_, overErr := d.Create(ctx, name, vfs.CreateOptions{})
		for call, err := range map[string]error{
			"Stat": statErr, "Open": openErr, "Create over": overErr,
			"Remove":      d.Remove(ctx, name),
			"Rename":      failure(d.Rename(ctx, name, "elsewhere", true)),
			"SetAttr":     failure(d.SetAttr(ctx, name, vfs.Attr{HasMode: true, Mode: 0o777})),
			"SetAttr len": failure(d.SetAttr(ctx, name, vfs.Attr{HasSize: true})),
		} {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrName) {
				t.Errorf("%s of %q: %v", call, name, err)
			}
		}
		for _, o := range []vfs.CreateOptions{{Create: true}, {Create: true, Truncate: true}, {Create: true, Exclusive: true}} {
			if _, err := d.Create(ctx, name, o); !errors.Is(err, vfs.ErrName) {
				t.Errorf("Create %q %+v: %v", name, o, err)
			}
		}
		for _, replace := range []bool{false, true} {
			if _, err := d.Rename(ctx, "real", name, replace); !errors.Is(err, vfs.ErrName) {
				t.Errorf("Rename to %q: %v", name, err)
			}
		}
	}
	if after := snapshot(t, path); after != before {
		t.Errorf("changed:\n%s\nwas:\n%s", after, before)
	}
}

// A name that becomes a link, a folder or a FIFO while an upload is open is not
// followed or replaced.
func TestDirPlantedDuringUpload(t *testing.T) {
	for kind, make := range map[string]func(string) error{
		"link":   func(p string) error { return os.Symlink("real", p) },
		"folder": func(p string) error { return os.Mkdir(p, 0o755) },
		"fifo":   func(p string) error { return unix.Mkfifo(p, 0o644) },
	} {
		d, path := openDir(t, local.Options{})
		write(t, filepath.Join(path, "real"), "real")
		u, err := d.Create(t.Context(), "f", vfs.CreateOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := make(filepath.Join(path, "f")); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Commit(t.Context()); !errors.Is(err, vfs.ErrName) {
			t.Errorf("Commit over a %s: %v", kind, err)
		}
		if text, _ := os.ReadFile(filepath.Join(path, "real")); string(text) != "real" {
			t.Errorf("the target of the %s holds %q", kind, text)
		}
		stagesAre(t, path, 0)
	}
}

func TestOpenDirRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, path := range []string{file, filepath.Join(t.TempDir(), "absent")} {
		if _, err := local.Open(path, local.Options{}); err == nil {
			t.Errorf("opened %s", path)
		}
	}
	linked := t.TempDir()
	if err := os.Symlink(t.TempDir(), filepath.Join(linked, ".shelf")); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Open(linked, local.Options{}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Error("a stage folder that is a link was followed, or it is not said what to do:", err)
	}
}

// A folder of somebody's that has the name of the stage folder was emptied. It is
// left as it is, and who starts the server is told what to do.
func TestOpenDirLeavesOthersFolder(t *testing.T) {
	for what, make := range map[string]func(folder string) error{
		"a file": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("mine"), 0o600)
		},
		"a folder": func(folder string) error { return os.Mkdir(filepath.Join(folder, "photos"), 0o700) },
		"a link":   func(folder string) error { return os.Symlink("x", filepath.Join(folder, "partial-x")) },
	} {
		path := t.TempDir()
		folder := filepath.Join(path, ".shelf")
		if err := errors.Join(os.Mkdir(folder, 0o755), make(folder)); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, path)
		d, err := local.Open(path, local.Options{})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("with %s in it: %v", what, err)
		}
		if after := snapshot(t, path); after != before {
			t.Errorf("with %s in it, it was changed from\n%s to\n%s", what, before, after)
		}
	}
	path := t.TempDir()
	write(t, filepath.Join(path, ".shelf"), "")
	if _, err := local.Open(path, local.Options{}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Error("with a file of that name:", err)
	}
}

// What a crash left is gone, and the folder is for the server alone.
func TestOpenDirDiscardsStages(t *testing.T) {
	path := t.TempDir()
	stages := filepath.Join(path, ".shelf")
	if err := os.Mkdir(stages, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 600 { // more than is read at once
		write(t, filepath.Join(stages, strings.Repeat("A", 20)+strings.NewReplacer("0", "X", "1", "Y", "8", "Z", "9", "W").Replace(fmt.Sprintf("%06d", i))), "torn")
	}
	reopen(t, path, local.Options{})
	stagesAre(t, path, 0)
	if i, err := os.Stat(stages); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("the stage folder: %v, %v", i.Mode(), err)
	}
}

// put uploads size random bytes as ada and ends the upload with end.
func put(t testing.TB, l vfs.Library, name string, size int64, o vfs.CreateOptions, end func(vfs.Upload) error) []byte {
	t.Helper()
	o.Owner = "ada"
	u, err := l.Create(context.Background(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(data)
	if _, err := u.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := end(u); err != nil {
		t.Fatal(err)
	}
	return data
}

func failure[T any](_ T, err error) error { return err }

func keep(u vfs.Upload) error   { return u.(vfs.Keeper).Keep() }
func commit(u vfs.Upload) error { return failure(u.Commit(context.Background())) }

func partial(t testing.TB, d *local.Dir, owner, name string) int64 {
	t.Helper()
	i, err := d.Partial(context.Background(), owner, name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1
	}
	if err != nil || i.Name != name {
		t.Fatal(i, err)
	}
	return i.Size
}

var create = vfs.CreateOptions{Create: true}

func TestPartial(t *testing.T) {
	const mib = 1 << 20
	d, path := openDir(t, local.Options{})
	put(t, d, "small", mib-1, create, keep)
	if n := partial(t, d, "ada", "small"); n != -1 {
		t.Errorf("a small one was kept: %d", n)
	}
	data := put(t, d, "big", mib, create, keep)
	if n := partial(t, d, "ada", "big"); n != mib {
		t.Fatalf("the partial has %d bytes", n)
	}
	for _, other := range []string{"", "bob", "ada\x00"} {
		if n := partial(t, d, other, "big"); n != -1 {
			t.Errorf("%q sees it", other)
		}
	}
	for i := range d.List(t.Context()) {
		t.Errorf("%s is listed", i.Name)
	}

	// It outlives the server, and is the base of the next upload.
	d.Close()
	d = reopen(t, path, local.Options{})
	u, err := d.Create(t.Context(), "big", vfs.CreateOptions{Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if n := partial(t, d, "ada", "big"); n != -1 {
		t.Error("it is still there while it is resumed")
	}
	got := make([]byte, mib)
	if _, err := u.ReadAt(got, 0); err != nil || !slices.Equal(got, data) {
		t.Fatal("the partial differs", err)
	}
	if _, err := u.WriteAt([]byte("tail"), mib); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(path, "big"))
	if string(text) != string(data)+"tail" {
		t.Error("what was resumed differs")
	}
	stagesAre(t, path, 0)
}

// What is kept is the beginning without a gap, and only if it can be resumed.
func TestPartialIsWhatCanBeResumed(t *testing.T) {
	const mib = 1 << 20
	d, path := openDir(t, local.Options{})
	gap := func(u vfs.Upload) error {
		if _, err := u.WriteAt([]byte("beyond a gap"), 2*mib); err != nil {
			return err
		}
		return keep(u)
	}
	put(t, d, "gap", mib, create, gap)
	if n := partial(t, d, "ada", "gap"); n != mib {
		t.Errorf("kept %d bytes", n)
	}
	u, err := d.Create(t.Context(), "gap", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if i, err := u.Stat(); err != nil || i.Size != 0 {
		t.Error("TRUNC starts from the partial", i, err)
	}
	u.Abort()
	if n := partial(t, d, "ada", "gap"); n != -1 {
		t.Error("TRUNC kept the partial")
	}
	refused := func(u vfs.Upload) error {
		if _, err := u.WriteAt([]byte("x"), 1<<62); err == nil {
			t.Error("a write at 2^62 was taken")
		}
		return keep(u)
	}
	put(t, d, "refused", mib, create, refused)
	if n := partial(t, d, "ada", "refused"); n != -1 {
		t.Error("kept after a failed write")
	}
	published := func(u vfs.Upload) error {
		put(t, d, "published", 3, create, commit)
		return keep(u)
	}
	put(t, d, "published", mib, create, published)
	put(t, d, "published", mib, create, keep)
	if n := partial(t, d, "ada", "published"); n != -1 {
		t.Error("kept though a file is there")
	}
	stagesAre(t, path, 0)
}

func TestPartialRules(t *testing.T) {
	rules := local.PartialRules{MinSize: 1, PerAccount: 2, MaxAge: time.Hour}
	d, path := openDir(t, local.Options{Partials: &rules})
	for i, name := range []string{"a", "b", "c"} {
		put(t, d, name, int64(i+1), create, func(u vfs.Upload) error {
			when := time.Now().Add(time.Duration(i-30) * time.Minute)
			return errors.Join(keep(u), age(t, path, when, int64(i+1)))
		})
	}
	for name, want := range map[string]int64{"a": -1, "b": 2, "c": 3} {
		if n := partial(t, d, "ada", name); n != want {
			t.Errorf("%s: %d bytes, want %d", name, n, want)
		}
	}
	if err := age(t, path, time.Now().Add(-2*time.Hour), 2); err != nil {
		t.Fatal(err)
	}
	if n := partial(t, d, "ada", "b"); n != -1 {
		t.Error("an old one is still there")
	}
	d.Close()
	reopen(t, path, local.Options{Partials: &rules})
	stagesAre(t, path, 1)
	none, _ := openDir(t, local.Options{Partials: &local.PartialRules{MinSize: 1, MaxAge: time.Hour}})
	put(t, none, "f", 10, create, keep)
	if n := partial(t, none, "ada", "f"); n != -1 {
		t.Error("kept though none are")
	}
}

// age sets the time of the stage of that size.
func age(t testing.TB, library string, when time.Time, size int64) (err error) {
	for _, p := range stages(t, library) {
		if i, statErr := os.Stat(p); statErr == nil && i.Size() == size {
			err = errors.Join(err, os.Chtimes(p, when, when))
		}
	}
	return err
}

// block is what the smallest file costs of a quota, in bytes.
const block = 4 << 10

func TestMinFreeSpace(t *testing.T) {
	d, path := openDir(t, local.Options{MinFreeSpace: 1 << 60})
	u, err := d.Create(t.Context(), "f", create)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.WriteAt([]byte("x"), 0); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("a write: %v", err)
	}
	u.Abort()
	stagesAre(t, path, 0)
}

// What a client is told of the room is what its uploads can use of it.
func TestSpaceKeepsToLimits(t *testing.T) {
	d, path := openDir(t, local.Options{})
	disk, err := d.Space(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bs := int64(disk.BlockSize)
	d.Close()
	d = reopen(t, path, local.Options{Quota: 10 * bs})
	put(t, d, "a", 4*bs, create, commit)
	s, err := d.Space(t.Context())
	if err != nil || s.Blocks != 10 || s.Free != 6 || s.Available != 6 {
		t.Errorf("with a quota of 10 blocks, of which 4 are used: %+v (%v)", s, err)
	}
	d.Close()
	// More was there than there may be now.
	d = reopen(t, path, local.Options{Quota: 3*bs + 1})
	if s, err = d.Space(t.Context()); err != nil || s.Blocks != 4 || s.Free != 0 || s.Available != 0 {
		t.Errorf("with a quota that is used up: %+v (%v)", s, err)
	}
	d.Close()
	d = reopen(t, path, local.Options{Quota: 1 << 62, MinFreeSpace: 1 << 60})
	if s, err = d.Space(t.Context()); err != nil || s.Blocks != disk.Blocks || s.Free == 0 || s.Available != 0 {
		t.Errorf("with all to be left free: %+v (%v)", s, err)
	}
}

// A partial that is resumed counts while it is neither a partial nor a file.
func TestQuotaOfResumed(t *testing.T) {
	rules := local.PartialRules{MinSize: 1, PerAccount: 32, MaxAge: time.Hour}
	d, path := openDir(t, local.Options{Partials: &rules})
	put(t, d, "p", 40*block, create, keep)
	d.Close()
	d = reopen(t, path, local.Options{Quota: 100 * block, Partials: &rules})
	u, err := d.Create(t.Context(), "p", vfs.CreateOptions{Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Abort()
	put(t, d, "a", 60*block, create, commit)
	if _, err := u.WriteAt([]byte("x"), 40*block); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error(err)
	}
}

// A stage whose holes are forgotten is not kept: nobody knows what it has.
func TestScatteredIsNoPartial(t *testing.T) {
	d, _ := openDir(t, local.Options{Partials: &local.PartialRules{MinSize: 1, PerAccount: 32, MaxAge: time.Hour}})
	put(t, d, "f", 1, create, func(u vfs.Upload) error {
		for i := range int64(70_000) {
			if _, err := u.WriteAt([]byte("X"), 2*i); err != nil {
				return err
			}
		}
		return keep(u)
	})
	if n := partial(t, d, "ada", "f"); n != -1 {
		t.Errorf("kept %d bytes", n)
	}
}

// Many small pieces cost bounded memory and stay right.
func TestScatteredWrites(t *testing.T) {
	const pieces = 70_000
	d, path := openDir(t, local.Options{Durability: local.NoFsync})
	want := make([]byte, 2*pieces)
	for i := range want {
		want[i] = byte('a' + i%7)
	}
	write(t, filepath.Join(path, "f"), string(want))
	u, err := d.Create(t.Context(), "f", vfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(want); i += 2 {
		want[i] = 'X'
		if _, err := u.WriteAt([]byte("X"), int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, len(want))
	if _, err := u.ReadAt(got, 0); err != nil || !slices.Equal(got, want) {
		t.Error("it reads wrong", err)
	}
	if _, err := u.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(path, "f")); string(text) != string(want) {
		t.Error("it was published wrong")
	}
}

// A name that another upload publishes, or removes, at this very moment is not
// taken by something else than a file.
func TestCreateWhileAnotherPublishes(t *testing.T) {
	d, _ := openDir(t, local.Options{Durability: local.NoFsync})
	over := make(chan struct{})
	churned := make(chan error, 1)
	go func() {
		for {
			select {
			case <-over:
				churned <- nil
				return
			default:
			}
			u, err := d.Create(context.Background(), "f", create)
			if err == nil {
				err = errors.Join(failure(u.Commit(context.Background())), d.Remove(context.Background(), "f"))
			}
			if err != nil {
				churned <- err
				return
			}
		}
	}()
	for range 20_000 {
		u, err := d.Create(t.Context(), "f", create)
		if err != nil {
			t.Error(err)
			break
		}
		if err := u.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	close(over)
	if err := <-churned; err != nil {
		t.Error(err)
	}
}

// Who opens what is still being uploaded, and writes nothing, has published nothing: if
// that upload is refused, CLOSE must not say that a file is there.
func TestDraftThatWasNeverPublished(t *testing.T) {
	for _, published := range []bool{false, true} {
		d, _ := openDir(t, local.Options{})
		first := begin(t, d, "f", "abc", vfs.CreateOptions{Create: true})
		base, err := first.Open()
		if err != nil {
			t.Fatal(err)
		}
		over, err := d.Create(t.Context(), "f", vfs.CreateOptions{Base: base})
		if err != nil {
			t.Fatal(err)
		}
		if published {
			_, err = first.Commit(t.Context())
		} else {
			err = first.Abort()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := over.Commit(t.Context()); errors.Is(err, fs.ErrNotExist) == published {
			t.Errorf("published %v: committed over it: %v", published, err)
		}
	}
}
