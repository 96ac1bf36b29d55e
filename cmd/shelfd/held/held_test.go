package held

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shelf/cmd/shelfd/quarantine"
	"shelf/vfs"
)

// world is a Queue with a library and a scanner that do as they are told. Texts with
// "evil" in them are refused.
type world struct {
	*Queue
	t      *testing.T
	folder *quarantine.Folder
	rules  Rules

	mu      sync.Mutex
	down    error                              // why there is no verdict
	full    error                              // why nothing can be published
	waiting chan struct{}                      // verdicts come when it is closed; nil is at once
	asked   []string                           // account and name of what is judged, in that order
	files   map[string]string                  // published
	ended   []string                           // names that were published, or refused and why
	during  map[string]func(i quarantine.Item) // is called while a name is judged

	onRefused func(i quarantine.Item) // is called when one is refused or dropped
}

func newWorld(t *testing.T, path string) *world {
	w := &world{t: t, rules: Rules{Scans: 8, Max: 1000}, files: make(map[string]string), during: make(map[string]func(quarantine.Item))}
	w.open(path)
	return w
}

// open begins anew with what is on disk.
func (w *world) open(path string) {
	w.t.Helper()
	var err error
	if w.folder, err = quarantine.Open(path); err != nil {
		w.t.Fatal(err)
	}
	w.Queue = New(Options{
		Folder: w.folder, Judge: w.judge, Publish: w.publish, Published: w.published, Refused: w.refused,
		Rules: func(string) Rules { return w.rules }, Settles: func(name string) bool { return strings.HasSuffix(name, ".part") }, Settling: time.Minute,
		Log: slog.New(slog.DiscardHandler),
	})
}

// run judges until stop is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w.Adopt()
	go func() { defer close(ended); w.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (w *world) judge(ctx context.Context, i quarantine.Item, file *os.File) (string, error) {
	w.mu.Lock()
	w.asked = append(w.asked, i.Account+" "+i.Name)
	waiting, down, during := w.waiting, w.down, w.during[i.Name]
	w.mu.Unlock()
	if during != nil {
		during(i)
	}
	if waiting != nil {
		select {
		case <-waiting:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if down != nil {
		return vfs.GateFailed, down
	}
	text, err := io.ReadAll(file)
	if strings.Contains(string(text), "evil") {
		return vfs.GateRefused, &vfs.Error{Kind: vfs.ErrContent, Why: "it is evil"}
	}
	return vfs.GatePassed, err
}

func (w *world) publish(_ context.Context, i quarantine.Item, file *os.File, word string) error {
	text, err := io.ReadAll(file)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, there := w.files[i.Name]
	switch {
	case err != nil:
		return err
	case w.full != nil:
		return w.full
	case there && !i.Held.Change:
		w.ended = append(w.ended, i.Name+" exists")
		return &vfs.Error{Kind: fs.ErrExist}
	}
	w.files[i.Name] = string(text)
	w.ended = append(w.ended, i.Name+"="+string(text)+" "+word)
	return nil
}

func (w *world) published(_ context.Context, i quarantine.Item, file *os.File) bool {
	text, _ := io.ReadAll(file)
	w.mu.Lock()
	defer w.mu.Unlock()
	there, ok := w.files[i.Name]
	return ok && there == string(text)
}

func (w *world) refused(i quarantine.Item, word string, why error) error {
	if w.onRefused != nil {
		w.onRefused(i)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, i.Name+" "+word+": "+why.Error())
	return nil
}

// hold is an upload of an account, which may replace a file.
func (w *world) hold(account, name, text string) (string, error) {
	i := quarantine.Item{Library: "in", Account: account, Name: name, Size: int64(len(text)), Held: &quarantine.Held{Change: true}}
	id, err := w.Hold(context.Background(), i, strings.NewReader(text), vfs.UsageInfo{})
	if err == nil {
		w.Begin(id)
	}
	return id, err
}

func (w *world) mustHold(account, name, text string) string {
	w.t.Helper()
	id, err := w.hold(account, name, text)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// told are the ends so far.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ended)
}

func (w *world) expect(want ...string) {
	w.t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.t.Errorf("it went so: %q\nand not so: %q", got, want)
	}
}

// TestVerdict publishes what is let in and refuses the rest.
func TestVerdict(t *testing.T) {
	for _, quarantined := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			path := t.TempDir()
			w := newWorld(t, path)
			defer w.folder.Close()
			if quarantined {
				w.rules.Quarantine = 100
			}
			defer w.run()()
			w.mustHold("ada", "good", "good")
			synctest.Wait()
			w.mustHold("ada", "bad", "evil")
			synctest.Wait()
			w.expect("good=good passed", "bad refused: it is evil")
			items, err := w.folder.List()
			if err != nil || (len(items) == 1) != quarantined || quarantined && (items[0].Held != nil || items[0].Reason != "it is evil" || len(items[0].SHA256) != 64) {
				t.Errorf("in quarantine are %+v, %v", items, err)
			}
			if total := w.Total("in"); total != (Total{}) {
				t.Errorf("there waits %+v", total)
			}
		})
	}
}

// TestRestart kills a server: another judges what waits, once.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		w := newWorld(t, path)
		w.waiting = make(chan struct{}) // for ever
		stop := w.run()
		w.mustHold("ada", "a", "one")
		w.mustHold("ada", "a", "two")
		synctest.Wait()
		// A second server, while the first lives, takes nothing.
		other := &world{t: t, rules: w.rules, files: w.files, during: w.during}
		other.open(path)
		stopOther := other.run()
		time.Sleep(3 * adoptEvery)
		other.expect()
		stop()
		w.folder.Close() // as when it is killed: the lock is gone
		time.Sleep(2 * adoptEvery)
		synctest.Wait()
		other.expect("a=one passed", "a=two passed")
		stopOther()
		other.folder.Close()
		if left, err := filepath.Glob(path + "/*.*"); err != nil || len(left) > 0 {
			t.Errorf("left are %v, %v", left, err)
		}
	})
}

// TestCrashWhilePublishing kills a server when the library has an upload and the folder
// still has it, too: it is not published again.
func TestCrashWhilePublishing(t *testing.T) {
	for _, there := range []string{"", "text", "else"} {
		synctest.Test(t, func(t *testing.T) {
			path := t.TempDir()
			w := newWorld(t, path)
			w.full = &vfs.Error{Kind: vfs.ErrUncertain}
			stop := w.run()
			w.mustHold("ada", "a", "text")
			synctest.Wait()
			stop()
			w.folder.Close()
			w.full = nil
			if there != "" {
				w.files["a"] = there
			}
			w.open(path)
			defer w.folder.Close()
			stop = w.run()
			synctest.Wait()
			stop()
			if there == "text" {
				w.expect()
			} else {
				w.expect("a=text passed")
			}
			if items, err := w.folder.List(); err != nil || len(items) > 0 {
				t.Errorf("there are still %v, %v", items, err)
			}
		})
	}
}

// TestSameContentOfAnother cannot publish an upload at first, and finds the same content
// under its name when it tries again: that is another's, and is no reason to leave this
// one out.
func TestSameContentOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		w.full, w.files["a"] = &vfs.Error{Kind: vfs.ErrNoSpace}, "text"
		defer w.run()()
		w.mustHold("ada", "a", "text")
		synctest.Wait()
		w.expect()
		w.mu.Lock()
		w.full = nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		w.expect("a=text passed")
	})
}

// TestCrashWhileReleasing kills a server when an operator has released an upload, and
// the folder still has it: it is not published again, nor judged.
func TestCrashWhileReleasing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		w := newWorld(t, path)
		id := w.mustHold("ada", "a", "evil")
		release := func(fails error) error {
			return w.Release(t.Context(), id, func(i quarantine.Item) error {
				if fails == nil {
					w.files[i.Name] = "evil"
					copied := filepath.Join(t.TempDir(), "at that time")
					if err := os.CopyFS(copied, os.DirFS(path)); err != nil {
						t.Fatal(err)
					}
					path = copied
				}
				return fails
			})
		}
		if err := release(fs.ErrExist); err == nil {
			t.Error("there was no error")
		}
		if i, _, err := w.folder.Open(id); err != nil || i.Held.Publishing {
			t.Errorf("after a release that has failed: %+v, %v", i.Held, err)
		}
		if err := release(nil); err != nil || len(w.all) > 0 {
			t.Error(err, w.all)
		}
		w.folder.Close()
		w.open(path)
		defer w.folder.Close()
		defer w.run()()
		synctest.Wait()
		w.expect()
		if items, err := w.folder.List(); err != nil || len(items) > 0 || len(w.asked) > 0 {
			t.Errorf("there are still %v, %v; judged were %q", items, err, w.asked)
		}
	})
}

// TestOrder publishes uploads of one name in the order in which they came, however long
// the first takes, and of other names meanwhile.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		defer w.run()()
		w.down = errors.New("no scanner")
		w.mustHold("ada", "a", "one")
		synctest.Wait()
		w.mu.Lock()
		w.down = nil
		w.mu.Unlock()
		w.mustHold("bob", "a", "two")
		w.mustHold("bob", "b", "three")
		synctest.Wait()
		w.expect("b=three passed")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		w.expect("b=three passed", "a=one passed", "a=two passed")
	})
}

// TestTurns judges files of an account that has few before most of one that has many.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		w.rules.Scans = 2
		for _, name := range []string{"1", "2", "3", "4", "5"} {
			w.mustHold("greedy", name, "x")
		}
		w.mustHold("ada", "6", "x")
		w.waiting = make(chan struct{})
		defer w.run()()
		synctest.Wait()
		w.mu.Lock()
		slices.Sort(w.asked)
		if !slices.Equal(w.asked, []string{"ada 6", "greedy 1"}) {
			t.Errorf("judged are %q", w.asked)
		}
		w.mu.Unlock()
		close(w.waiting)
		synctest.Wait()
		if len(w.told()) != 6 {
			t.Errorf("it went so: %q", w.told())
		}
	})
}

// TestTurnsOfOneScan has accounts take turns where one file is judged at a time, which
// leaves nobody of whom more is judged.
func TestTurnsOfOneScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		w.rules.Scans = 1
		for _, name := range []string{"1", "2", "3"} {
			w.mustHold("greedy", name, "x")
		}
		for _, name := range []string{"4", "5"} {
			w.mustHold("ada", name, "x")
		}
		defer w.run()()
		synctest.Wait()
		w.mu.Lock()
		if want := []string{"greedy 1", "ada 4", "greedy 2", "ada 5", "greedy 3"}; !slices.Equal(w.asked, want) {
			t.Errorf("judged are %q, and not %q", w.asked, want)
		}
		w.mu.Unlock()
		if len(w.turns) > 0 {
			t.Errorf("remembered are %v", w.turns)
		}
	})
}

// TestBackOff tries again what nobody could judge: later each time, and at once when
// the settings are read again.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		defer w.run()()
		w.down = errors.New("no scanner")
		begun := time.Now()
		var tries []time.Duration
		w.during["a"] = func(quarantine.Item) { tries = append(tries, time.Since(begun)) }
		id := w.mustHold("ada", "a", "one")
		time.Sleep(100 * time.Second)
		synctest.Wait()
		if want := []time.Duration{0, 5 * time.Second, 15 * time.Second, 35 * time.Second, 75 * time.Second}; !slices.Equal(tries, want) {
			t.Errorf("it was tried after %v, and not %v", tries, want)
		}
		if s, ok := w.State(id); !ok || s.Tries != 5 || s.Why != "no scanner" || !s.Next.Equal(begun.Add(155*time.Second)) {
			t.Errorf("it is so: %+v", s)
		}
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		n := len(tries)
		if gap := tries[n-1] - tries[n-2]; gap != 10*time.Minute {
			t.Errorf("at last there are %v between two tries", gap)
		}
		w.mu.Lock()
		w.down = nil
		w.mu.Unlock()
		w.expect()
		w.Retry()
		synctest.Wait()
		w.expect("a=one passed")
	})
}

// TestRefusedByTheLibrary has rules refuse what the gate has let in, and faults delay it.
func TestRefusedByTheLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		w.rules.Quarantine = 100
		w.files["a"] = "meanwhile"
		i := quarantine.Item{Library: "in", Account: "ada", Name: "a", Size: 3, Held: new(quarantine.Held)}
		id, err := w.Hold(t.Context(), i, strings.NewReader("new"), vfs.UsageInfo{})
		if err != nil {
			t.Fatal(err)
		}
		w.Begin(id)
		w.full = &vfs.Error{Kind: vfs.ErrNoSpace}
		defer w.run()()
		synctest.Wait()
		w.expect()
		w.mu.Lock()
		w.full = nil
		w.mu.Unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.expect("a exists")
		if items, err := w.folder.List(); err != nil || len(items) != 1 || items[0].Held != nil || w.files["a"] != "meanwhile" {
			t.Errorf("in quarantine are %+v, %v", items, err)
		}
	})
}

// TestClient renames, changes and removes what waits, also while it is judged.
func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		defer w.run()()
		ctx := t.Context()
		w.waiting = make(chan struct{})
		w.mustHold("ada", "a", "older")
		w.mustHold("ada", "a", "newer!")
		synctest.Wait()
		if _, err := w.Held("in", "bob", "a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another account sees it: %v", err)
		}
		if i, err := w.Held("in", "ada", "a"); err != nil || i.Size != 6 || i.Mode != 0o644 {
			t.Errorf("%+v, %v", i, err)
		}
		before, _ := w.Held("in", "ada", "a")
		mtime := time.Unix(1e9, 0)
		if err := w.Set(ctx, "in", "ada", "a", vfs.Attr{HasMode: true, Mode: 0o600, HasTimes: true, Atime: mtime, Mtime: mtime}); err != nil {
			t.Error(err)
		}
		if i, err := w.Held("in", "ada", "a"); err != nil || i.Mode != 0o600 || !i.ModTime.Equal(mtime) || i.Version == before.Version {
			t.Errorf("%+v, %v", i, err)
		}
		for _, err := range []error{
			w.Rename(ctx, "in", "bob", "a", "b", true), w.Drop(ctx, "in", "bob", "a"), w.Set(ctx, "in", "bob", "a", vfs.Attr{}),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("another account changes it: %v", err)
			}
		}
		// It is judged under the new name, and the older one is gone.
		if err := w.Rename(ctx, "in", "ada", "a", "b", true); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.expect("a held: " + errOvertaken.Error())
		for _, x := range []struct {
			library, name string
			want          bool
		}{{"in", "b", true}, {"in", "a", false}, {"out", "b", false}} {
			if w.Waits(x.library, "bob", x.name) != x.want {
				t.Errorf("whether %s waits in %s: %v", x.name, x.library, !x.want)
			}
		}
		w.mustHold("ada", "c", "third")
		if err := w.Rename(ctx, "in", "ada", "c", "b", false); !errors.Is(err, fs.ErrExist) {
			t.Errorf("onto a name that waits: %v", err)
		}
		w.mustHold("ada", "c", "fourth")
		if err := w.Drop(ctx, "in", "ada", "c"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		close(w.waiting)
		synctest.Wait()
		w.expect("a held: "+errOvertaken.Error(), "c held: "+errRemoved.Error(), "c held: "+errRemoved.Error(), "b=newer! passed")
		if !slices.Contains(w.asked, "ada b") {
			t.Errorf("judged were %q", w.asked)
		}
		if err := w.Drop(ctx, "in", "ada", "b"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is published, and can be dropped: %v", err)
		}
	})
}

// TestRenameWhileJudged has a verdict about the old name come when there is a new one: it
// does not count.
func TestRenameWhileJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		w.during["old"] = func(quarantine.Item) {
			if err := w.Rename(t.Context(), "in", "ada", "old", "new", true); err != nil {
				t.Error(err)
			}
		}
		defer w.run()()
		w.mustHold("ada", "old", "text")
		synctest.Wait()
		w.expect("new=text passed")
		if !slices.Equal(w.asked, []string{"ada old", "ada new"}) {
			t.Errorf("judged were %q", w.asked)
		}
	})
}

// TestUploadDuringAChange uploads a name anew while what waits under it is renamed or
// removed: the new one stays.
func TestUploadDuringAChange(t *testing.T) {
	for what, change := range map[string]func(w *world) error{
		"rename": func(w *world) error { return w.Rename(t.Context(), "in", "ada", "a", "b", true) },
		"remove": func(w *world) error { return w.Drop(t.Context(), "in", "ada", "a") },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, t.TempDir())
			defer w.folder.Close()
			w.mustHold("ada", "a", "one")
			w.mustHold("ada", "a", "two")
			uploaded := false
			w.onRefused = func(i quarantine.Item) { // one is gone, and the other not yet
				if !uploaded {
					uploaded = true
					w.mustHold("ada", "a", "three")
				}
			}
			if err := change(w); err != nil || !uploaded {
				t.Error(err, uploaded)
			}
			defer w.run()()
			synctest.Wait()
			if got := w.files["a"]; got != "three" {
				t.Errorf("%s: there is %q; it went so: %q", what, got, w.told())
			}
		})
	}
}

// TestOneNewFile lets one of two uploads be held that are to be a new file of one name,
// though both ended at a time.
func TestOneNewFile(t *testing.T) {
	w := newWorld(t, t.TempDir())
	defer w.folder.Close()
	hold := func(account string, from io.Reader) error {
		i := quarantine.Item{Library: "in", Account: account, Name: "a", Size: 1, Held: new(quarantine.Held)}
		_, err := w.Hold(t.Context(), i, from, vfs.UsageInfo{})
		return err
	}
	from, to := io.Pipe()
	first := make(chan error)
	go func() { first <- hold("ada", from) }()
	to.Write([]byte("x")) // it is being copied
	if err := hold("ada", strings.NewReader("y")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second: %v", err)
	}
	if err := hold("bob", strings.NewReader("z")); err != nil {
		t.Errorf("that of another account: %v", err)
	}
	to.Close()
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestTemporaryName waits for the rename of a temporary name, and not for ever.
func TestTemporaryName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		defer w.run()()
		w.mustHold("ada", "a.part", "renamed")
		w.mustHold("ada", "b.part", "stays")
		synctest.Wait()
		if err := w.Rename(t.Context(), "in", "ada", "a.part", "a", true); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.expect("a=renamed passed")
		time.Sleep(time.Minute)
		synctest.Wait()
		w.expect("a=renamed passed", "b.part=stays passed")
		if !slices.Equal(w.asked, []string{"ada a", "ada b.part"}) {
			t.Errorf("judged were %q", w.asked)
		}
	})
}

// TestOperator takes an upload away from who judges it, or gives it back.
func TestOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		defer w.folder.Close()
		defer w.run()()
		w.waiting = make(chan struct{})
		one, two := w.mustHold("ada", "a", "one"), w.mustHold("ada", "b", "two")
		synctest.Wait()
		for id, gone := range map[string]bool{one: true, two: false} {
			i, end, err := w.Claim(t.Context(), id)
			if err != nil || i.ID != id {
				t.Fatal(i, err)
			}
			if gone {
				w.folder.Drop(id)
			}
			end(gone)
		}
		close(w.waiting)
		synctest.Wait()
		w.expect("b=two passed")
		if _, _, err := w.Claim(t.Context(), one); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// TestRoom bounds what may wait: of the library, of an account, and with its quota.
func TestRoom(t *testing.T) {
	path := t.TempDir()
	w := newWorld(t, path)
	defer w.folder.Close()
	w.rules = Rules{Max: 100}
	refused := func(account string, size int, charged vfs.UsageInfo, want string) {
		t.Helper()
		i := quarantine.Item{Library: "in", Account: account, Name: "x", Size: int64(size), Held: &quarantine.Held{Change: true}}
		_, err := w.Hold(t.Context(), i, strings.NewReader(strings.Repeat("x", size)), charged)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s with %d bytes: %v, and not %q", account, size, err, want)
		}
	}
	none := vfs.UsageInfo{}
	refused("ada", 51, none, "files are limited to 50 bytes here")
	refused("ada", 30, none, "")
	refused("ada", 30, none, "too much of your account waits")
	refused("bob", 50, none, "")
	refused("eve", 30, none, "too much waits")
	w.rules.OfAccount = 35
	refused("ada", 6, none, "your account's quota is used up")
	w.rules.OfAccount = 0
	w.rules.Quota = 200
	refused("eve", 10, vfs.UsageInfo{Bytes: 121}, "the library is full, with 2 files that wait")
	refused("eve", 10, vfs.UsageInfo{Bytes: 120}, "")
	w.rules.Quota, w.rules.Files = 0, 5
	refused("eve", 1, vfs.UsageInfo{Files: 3}, "the library is full, with 3 files that wait")
	refused("eve", 1, vfs.UsageInfo{Files: 2}, "")
	// Nothing is left of those that were refused.
	if files, _ := filepath.Glob(path + "/*.content"); len(files) != 4 {
		t.Errorf("there are %q", files)
	}
	if got := w.Total("in"); got.Files != 4 || got.Bytes != 91 {
		t.Errorf("there waits %+v", got)
	}
}

// BenchmarkHeld asks for a name while 10000 others wait.
func BenchmarkHeld(b *testing.B) {
	q := New(Options{})
	for n := range maxFiles {
		q.add(&entry{item: quarantine.Item{ID: strconv.Itoa(n), Library: "in", Account: "ada", Name: strconv.Itoa(n), Held: new(quarantine.Held)}})
	}
	for b.Loop() {
		q.Held("in", "ada", "none")
	}
}
