package local_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// beside has another instance be open on each library of a test.
var beside = flag.Bool("beside", false, "have another instance on each library")

// TestAllBesideAnotherInstance runs the tests of this package once more, with another
// instance on each library; not those that have two as it is, or take long.
func TestAllBesideAnotherInstance(t *testing.T) {
	if *beside || testing.Short() {
		t.Skip("it is what runs, or short")
	}
	out, err := exec.Command(os.Args[0], "-beside", "-test.v", "-test.skip=^(TestTwo|TestCreateWhile|TestResizeAgainst)").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "\n--- PASS:"); n < 50 {
		t.Errorf("only %d tests have run", n)
	}
}

// openBeside opens an instance that does nothing but what all do for one another: it
// holds its lock, and has its place in the ledger.
func openBeside(t testing.TB, path string, o local.Options) {
	t.Helper()
	openOne(t, path, o)
}

// twins are two instances of one library that take turns: what one has done the
// other must know.
type twins struct {
	all  [2]*local.Dir
	next atomic.Int64
}

func openTwins(t testing.TB, o local.Options) (*twins, string) {
	t.Helper()
	path := t.TempDir()
	return &twins{all: [2]*local.Dir{reopen(t, path, o), reopen(t, path, o)}}, path
}

func (p *twins) one() *local.Dir { return p.all[p.next.Add(1)%2] }

func (p *twins) Properties() vfs.Properties { return p.one().Properties() }
func (p *twins) List(ctx context.Context) iter.Seq2[vfs.Info, error] {
	return p.one().List(ctx)
}
func (p *twins) Stat(ctx context.Context, name string) (vfs.Info, error) {
	return p.one().Stat(ctx, name)
}
func (p *twins) Open(ctx context.Context, name string) (vfs.File, error) {
	return p.one().Open(ctx, name)
}
func (p *twins) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	return p.one().Create(ctx, name, o)
}
func (p *twins) Rename(ctx context.Context, old, new string, replace bool) (vfs.Change, error) {
	return p.one().Rename(ctx, old, new, replace)
}
func (p *twins) Remove(ctx context.Context, name string) error { return p.one().Remove(ctx, name) }
func (p *twins) SetAttr(ctx context.Context, name string, a vfs.Attr) (vfs.Change, error) {
	return p.one().SetAttr(ctx, name, a)
}
func (p *twins) Partial(ctx context.Context, owner, name string) (vfs.Info, error) {
	return p.one().Partial(ctx, owner, name)
}
func (p *twins) Space(ctx context.Context) (vfs.SpaceInfo, error) { return p.one().Space(ctx) }

func TestTwoInstances(t *testing.T) {
	for _, o := range []local.Options{{}, {Quota: 1 << 30, MaxFiles: 1 << 20}} {
		t.Run(fmt.Sprintf("quota %d", o.Quota), func(t *testing.T) {
			vfstest.Test(t, func(t *testing.T) vfs.Library {
				p, path := openTwins(t, o)
				t.Cleanup(func() { stagesAre(t, path, 0) })
				return p
			})
		})
	}
}

// An instance that ends leaves nothing behind but what all share.
func TestInstanceLeavesNothing(t *testing.T) {
	path := t.TempDir()
	d := openOne(t, path, local.Options{})
	put(t, d, "f", 10, create, commit)
	d.Close()
	if left := instances(t, path); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// instances are the folders of instances.
func instances(t testing.TB, library string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(library, ".shelf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "partials" {
			all = append(all, e.Name())
		}
	}
	return all
}

// What a dead instance left is swept by the next that begins; what a living one has
// under way goes on.
func TestSweepTakesOnlyTheDead(t *testing.T) {
	path := t.TempDir()
	dead, alive := openOne(t, path, keepAll), openOne(t, path, keepAll)
	under := begin(t, alive, "alive", "text", vfs.CreateOptions{})
	begin(t, dead, "torn", "text", vfs.CreateOptions{})
	if err := begin(t, dead, "saved", "beginning", vfs.CreateOptions{}).Sync(); err != nil {
		t.Fatal(err)
	}
	dead.Close() // with uploads open: their stages stay, as after a crash
	if n := len(instances(t, path)); n != 2 {
		t.Fatalf("there are the folders of %d instances", n)
	}
	third := openOne(t, path, keepAll)
	if n := len(instances(t, path)); n != 2 {
		t.Errorf("there are the folders of %d instances, want those of two that live", n)
	}
	if err := commit(under); err != nil {
		t.Error("an upload of a living instance:", err)
	}
	if got := resumed(t, third, "saved"); got != "beginning" {
		t.Errorf("what had been synced is resumed as %q", got)
	}
	stagesAre(t, path, 0)
}

// An upload that was cut on one instance is gone on with on another, once.
func TestPartialIsTakenOnce(t *testing.T) {
	p, path := openTwins(t, keepAll)
	for i := range 50 {
		if err := keep(begin(t, p.all[0], "f", "beginning", vfs.CreateOptions{})); err != nil {
			t.Fatal(err)
		}
		var taken atomic.Int64
		var both sync.WaitGroup
		for _, d := range p.all {
			both.Go(func() {
				u, err := d.Create(t.Context(), "f", vfs.CreateOptions{Owner: "ada"})
				if err == nil {
					taken.Add(1)
					u.Abort()
				}
			})
		}
		both.Wait()
		if n := taken.Load(); n != 1 {
			t.Fatalf("round %d: %d have it", i, n)
		}
	}
	stagesAre(t, path, 0)
}

// A client whose session stalls on one instance comes back on another and begins
// anew. What the old session keeps later is not what is resumed: it would be the
// beginning of another file.
func TestLateSessionOfAnotherInstance(t *testing.T) {
	anew := vfs.CreateOptions{Truncate: true}
	for _, c := range []struct {
		story string
		do    func(a, b *local.Dir) error
		want  string
	}{
		{"kept before", func(a, b *local.Dir) error {
			old := begin(t, a, "f", "OLD OLD OLD", anew)
			return errors.Join(keep(begin(t, b, "f", "new", anew)), keep(old))
		}, "new"},
		{"had nothing", func(a, b *local.Dir) error {
			old := begin(t, a, "f", "OLD OLD OLD", anew)
			return errors.Join(keep(begin(t, b, "f", "", anew)), keep(old))
		}, ""},
		{"was published and removed", func(a, b *local.Dir) error {
			old := begin(t, a, "f", "OLD OLD OLD", vfs.CreateOptions{})
			return errors.Join(commit(begin(t, b, "f", "new", vfs.CreateOptions{})), b.Remove(t.Context(), "f"), keep(old))
		}, ""},
		{"ends later", func(a, b *local.Dir) error {
			old := begin(t, a, "f", "OLD OLD OLD", vfs.CreateOptions{})
			late := begin(t, b, "f", "new", vfs.CreateOptions{})
			return errors.Join(keep(old), keep(late))
		}, "new"},
		{"ends later, after it was synced", func(a, b *local.Dir) error {
			old := begin(t, a, "f", "OLD OLD OLD", vfs.CreateOptions{})
			late := begin(t, b, "f", "new", vfs.CreateOptions{})
			return errors.Join(old.Sync(), late.Sync(), keep(late), keep(old))
		}, "new"},
	} {
		p, path := openTwins(t, keepAll)
		if err := c.do(p.all[0], p.all[1]); err != nil {
			t.Errorf("%s: %v", c.story, err)
		}
		if got := resumed(t, p.one(), "f"); got != c.want {
			t.Errorf("the new one %s: what is resumed is %q, want %q", c.story, got, c.want)
		}
		stagesAre(t, path, 0)
	}
}

// The same, if the instance of the old session has begun after many uploads of the
// other, which then knew nobody beside it.
func TestLateSessionOfALaterInstance(t *testing.T) {
	first, path := openDir(t, keepAll)
	if err := commit(begin(t, first, "before", "x", vfs.CreateOptions{})); err != nil {
		t.Fatal(err)
	}
	old := begin(t, reopen(t, path, keepAll), "f", "OLD OLD OLD", vfs.CreateOptions{})
	anew := begin(t, first, "f", "new", vfs.CreateOptions{Truncate: true})
	if err := errors.Join(commit(anew), first.Remove(t.Context(), "f"), keep(old)); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, first, "f"); got != "" {
		t.Errorf("what is resumed is %q", got)
	}
}

// What an instance had saved when it crashed is not kept if another's attempt has
// won meanwhile.
func TestSavedIsBeatenByAnotherInstance(t *testing.T) {
	dead, path := openDir(t, keepAll)
	alive := reopen(t, path, keepAll)
	if err := begin(t, dead, "f", "OLD OLD OLD", vfs.CreateOptions{}).Sync(); err != nil {
		t.Fatal(err)
	}
	anew := begin(t, alive, "f", "new", vfs.CreateOptions{Truncate: true})
	if err := errors.Join(commit(anew), failure(alive.Rename(t.Context(), "f", "g", false))); err != nil {
		t.Fatal(err)
	}
	dead.Close()
	if got := resumed(t, reopen(t, path, keepAll), "f"); got != "" {
		t.Errorf("what is resumed is %q", got)
	}
}

// All instances together do not pass a limit, and use what there is.
func TestQuotaOfTwoInstances(t *testing.T) {
	const files = 40
	p, path := openTwins(t, local.Options{Quota: files * block, MaxFiles: files + 1})
	fill := func() (done int64) {
		var n atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range files {
					u, err := p.all[i%2].Create(context.Background(), fmt.Sprintf("%d-%d", i, j), create)
					if err == nil {
						_, err = u.WriteAt(make([]byte, block), 0)
						if err == nil {
							err = commit(u)
						} else {
							u.Abort()
						}
					}
					if err == nil {
						n.Add(1)
					} else if !errors.Is(err, vfs.ErrNoSpace) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		return n.Load()
	}
	if n := fill(); n != files {
		t.Errorf("%d files fit into what has room for %d", n, files)
	}
	for i := range 10 {
		names, err := filepath.Glob(filepath.Join(path, "*-*"))
		if err != nil || len(names) != files {
			t.Fatalf("%d files lie there, %v", len(names), err)
		}
		if err := p.all[i%2].Remove(t.Context(), filepath.Base(names[0])); err != nil {
			t.Fatal(err)
		}
		put(t, p.all[(i+1)%2], fmt.Sprintf("more-%d", i), block, create, commit) // the other has the room at once
	}
	for _, d := range p.all {
		if left, err := d.Space(t.Context()); err != nil || left.Free != 0 {
			t.Errorf("it says that there is room: %+v, %v", left, err)
		}
	}
}

// What an upload holds counts for all, and no more when its instance has died and
// was swept.
func TestQuotaOfADeadInstance(t *testing.T) {
	o := local.Options{Quota: 100 * block}
	alive, path := openDir(t, o)
	put(t, alive, "f", 10*block, create, commit)
	dead := reopen(t, path, o)
	u, err := dead.Create(t.Context(), "torn", create)
	if err == nil {
		err = u.SetAttr(resizeTo(80 * block))
	}
	if err != nil {
		t.Fatal(err)
	}
	more := func(size int64) error {
		u, err := alive.Create(t.Context(), "more", create)
		if err != nil {
			return err
		}
		defer u.Abort()
		return u.SetAttr(resizeTo(size))
	}
	if err := more(11 * block); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("more than another instance leaves: %v", err)
	}
	if err := more(10 * block); err != nil {
		t.Error(err)
	}
	dead.Close()
	if err := more(11 * block); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("its stage still lies there: %v", err)
	}
	reopen(t, path, o)
	if err := more(90 * block); err != nil {
		t.Error("after it was swept:", err)
	}
}

// A name that both instances publish all the time: each version replaces the one
// before, and each but the last is replaced once.
func TestInstancesReplaceOneAnother(t *testing.T) {
	p, _ := openTwins(t, local.Options{Durability: local.NoFsync})
	const rounds = 200
	type change struct{ made, replaced vfs.Version }
	made := make(chan change, 2*rounds)
	var both sync.WaitGroup
	for n, d := range p.all {
		both.Go(func() {
			for i := range rounds {
				u := begin(t, d, "f", fmt.Sprintf("%d %d", n, i), vfs.CreateOptions{Truncate: true})
				c, err := u.Commit(context.Background())
				if err != nil {
					t.Error(err)
				}
				made <- change{c.After.Version, c.Replaced.Version}
			}
		})
	}
	both.Wait()
	close(made)
	replaced := make(map[vfs.Version]int)
	for c := range made {
		replaced[c.replaced]++
	}
	for version, n := range replaced {
		if n != 1 {
			t.Errorf("%v was replaced %d times", version, n)
		}
	}
	if len(replaced) != 2*rounds {
		t.Errorf("%d were replaced, want %d", len(replaced), 2*rounds)
	}
}

// A version of the server that had the library for itself kept all in one folder.
func TestOpenDirTakesOverFromAnOlderVersion(t *testing.T) {
	d, path := openDir(t, keepAll)
	if err := keep(begin(t, d, "kept", "beginning", vfs.CreateOptions{})); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, d, "saved", "synced", vfs.CreateOptions{}).Sync(); err != nil {
		t.Fatal(err)
	}
	begin(t, d, "torn", "torn", vfs.CreateOptions{})
	d.Close()
	old := filepath.Join(path, ".shelf")
	for _, at := range stages(t, path) {
		name := filepath.Base(at)
		if strings.HasPrefix(name, "stage-") {
			name = strings.Repeat("A", 26)
		}
		if err := os.Rename(at, filepath.Join(old, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range append(instances(t, path), "partials", "lock", "names") {
		if err := os.RemoveAll(filepath.Join(old, in)); err != nil {
			t.Fatal(err)
		}
	}
	d = reopen(t, path, keepAll)
	stagesAre(t, path, 2)
	for name, want := range map[string]string{"kept": "beginning", "saved": "synced"} {
		if got := resumed(t, d, name); got != want {
			t.Errorf("%s is resumed as %q", name, got)
		}
	}
	stagesAre(t, path, 0)
}

// Such a version and this one keep each other out: the older would discard what this
// one has under way.
func TestOpenDirAgainstAnOlderVersion(t *testing.T) {
	path := t.TempDir()
	d := openOne(t, path, local.Options{})
	old, err := os.Open(filepath.Join(path, ".shelf"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	lock := func() error { return unix.Flock(int(old.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
	if err := lock(); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("an older version locks what is served: %v", err)
	}
	d.Close()
	if err := lock(); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Open(path, local.Options{}); err == nil || !strings.Contains(err.Error(), "older version") {
		t.Errorf("beside an older version: %v", err)
	}
}

// A partial that has expired goes while the server runs, not only when it starts.
func TestExpiryIsSeenAtTheNextStart(t *testing.T) {
	d, path := openDir(t, keepAll)
	if err := keep(begin(t, d, "f", "text", vfs.CreateOptions{})); err != nil {
		t.Fatal(err)
	}
	if err := age(t, path, time.Now().Add(-2*time.Hour), 4); err != nil {
		t.Fatal(err)
	}
	reopen(t, path, keepAll) // another instance, and this one goes on
	stagesAre(t, path, 0)
	if _, err := d.Partial(t.Context(), "ada", "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
