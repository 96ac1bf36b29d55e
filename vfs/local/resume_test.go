package local_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/local"
)

var keepAll = local.Options{Partials: &local.PartialRules{MinSize: 1, PerAccount: 32, MaxAge: time.Hour}}

// begin begins an upload of ada's with a text.
func begin(t *testing.T, d *local.Dir, name, text string, o vfs.CreateOptions) vfs.Upload {
	t.Helper()
	o.Create, o.Owner = true, "ada"
	u, err := d.Create(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.WriteAt([]byte(text), 0); err != nil {
		t.Fatal(err)
	}
	return u
}

// resumed is what ada would go on with, and takes it.
func resumed(t *testing.T, d *local.Dir, name string) string {
	t.Helper()
	u, err := d.Create(t.Context(), name, vfs.CreateOptions{Owner: "ada"})
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer u.Abort()
	b := make([]byte, 100)
	n, _ := u.ReadAt(b, 0)
	return string(b[:n])
}

// A session stalls, its person uploads anew from the start and is cut, and only
// then the server gives up the old session. What is kept is of the new upload:
// with the old one's beginning, a resume would mix the two.
func TestLateSessionKeepsNothing(t *testing.T) {
	d, path := openDir(t, keepAll)
	old := begin(t, d, "f", "OLD OLD OLD", vfs.CreateOptions{Truncate: true})
	anew := begin(t, d, "f", "new", vfs.CreateOptions{Truncate: true})
	if err := errors.Join(keep(anew), keep(old)); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, d, "f"); got != "new" {
		t.Errorf("what is resumed is %q", got)
	}

	// So it is when the new one was cut before it had anything worth keeping.
	old = begin(t, d, "f", "OLD OLD OLD", vfs.CreateOptions{Truncate: true})
	anew = begin(t, d, "f", "", vfs.CreateOptions{Truncate: true})
	if err := errors.Join(keep(anew), keep(old)); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, d, "f"); got != "" {
		t.Errorf("after an empty one, what is resumed is %q", got)
	}

	// And when the new one went on to be published, and was removed.
	old = begin(t, d, "f", "OLD OLD OLD", vfs.CreateOptions{})
	anew = begin(t, d, "f", "new", vfs.CreateOptions{})
	if err := errors.Join(commit(anew), d.Remove(t.Context(), "f"), keep(old)); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, d, "f"); got != "" {
		t.Errorf("after a published one, what is resumed is %q", got)
	}

	// The later of two that go on wins, whichever ends first.
	old = begin(t, d, "f", "OLD OLD OLD", vfs.CreateOptions{})
	anew = begin(t, d, "f", "new", vfs.CreateOptions{})
	if err := errors.Join(keep(old), keep(anew)); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, d, "f"); got != "new" {
		t.Errorf("of two that go on, what is resumed is %q", got)
	}
	stagesAre(t, path, 0)
}

// What is published makes its owner's beginning of it obsolete: it is not there
// again when the file is removed.
func TestPublishingDropsThePartial(t *testing.T) {
	d, path := openDir(t, keepAll)
	if err := keep(begin(t, d, "f", "OLD", vfs.CreateOptions{})); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "f"), "another's")
	over := begin(t, d, "f", "new", vfs.CreateOptions{})
	if err := errors.Join(commit(over), d.Remove(t.Context(), "f")); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, d, "f"); got != "" {
		t.Errorf("what is resumed is %q", got)
	}
	stagesAre(t, path, 0)
}

// A partial that is a published file as well, by a second name that a power cut
// brought back, is never written into.
func TestPartialWithTwoNamesIsNotTaken(t *testing.T) {
	d, path := openDir(t, keepAll)
	if err := keep(begin(t, d, "f", "text", vfs.CreateOptions{})); err != nil {
		t.Fatal(err)
	}
	all := stages(t, path)
	if len(all) != 1 {
		t.Fatal(all)
	}
	if err := os.Link(all[0], filepath.Join(path, "published")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Partial(t.Context(), "ada", "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it can be resumed: %v", err)
	}
	if err := begin(t, d, "f", "XX", vfs.CreateOptions{}).Abort(); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(filepath.Join(path, "published")); string(text) != "text" {
		t.Errorf("the published file holds %q", text)
	}
	d.Close()
	reopen(t, path, keepAll)
	stagesAre(t, path, 0)
}

// What a client had synced is its partial after a crash, as after a lost
// connection: the beginning without a gap, and no byte that was not synced.
func TestSyncedSurvivesCrash(t *testing.T) {
	for _, c := range []struct {
		story string
		do    func(vfs.Upload) error
		want  string
	}{
		{"synced", vfs.Upload.Sync, "beginning"},
		{"synced, then more was written", func(u vfs.Upload) error {
			_, err := u.WriteAt([]byte(" and more"), 9)
			return err
		}, "beginning"},
		{"synced again", func(u vfs.Upload) error {
			_, err := u.WriteAt([]byte(" and more"), 9)
			return errors.Join(err, u.Sync())
		}, "beginning and more"},
		{"what was synced is written over", func(u vfs.Upload) error {
			_, err := u.WriteAt([]byte("BE"), 0)
			return err
		}, ""},
		{"what was synced is cut off", func(u vfs.Upload) error {
			return u.SetAttr(vfs.Attr{HasSize: true, Size: 3})
		}, "beg"},
		{"its end is written over", func(u vfs.Upload) error {
			_, err := u.WriteAt([]byte("ING"), 6)
			return err
		}, "beginn"},
		{"aborted", vfs.Upload.Abort, ""},
		{"renamed", func(u vfs.Upload) error { return u.Rename("g", false) }, ""},
	} {
		path := t.TempDir()
		d := reopen(t, path, keepAll)
		u := begin(t, d, "f", "beginning", vfs.CreateOptions{Truncate: true})
		if err := errors.Join(u.Sync(), c.do(u)); err != nil {
			t.Fatal(c.story, err)
		}
		d.Close() // as a crash: nothing ends the upload
		if got := resumed(t, reopen(t, path, keepAll), "f"); got != c.want {
			t.Errorf("%s: what is resumed is %q, want %q", c.story, got, c.want)
		}
		stagesAre(t, path, 0)
	}
}

// Which of two saved beginnings counts after a crash, and when none does.
func TestSyncedAndPublished(t *testing.T) {
	path := t.TempDir()
	d := reopen(t, path, keepAll)
	first := begin(t, d, "f", "first", vfs.CreateOptions{Truncate: true})
	if err := first.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := age(t, path, time.Now().Add(-time.Minute), int64(len("first"))); err != nil {
		t.Fatal(err)
	}
	second := begin(t, d, "f", "the second", vfs.CreateOptions{Truncate: true})
	other := begin(t, d, "g", "g", vfs.CreateOptions{Truncate: true})
	if err := errors.Join(second.Sync(), other.Sync()); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "g"), "published")
	d.Close()
	d = reopen(t, path, keepAll)
	if got := resumed(t, d, "f"); got != "the second" {
		t.Errorf("what is resumed is %q", got)
	}
	if err := d.Remove(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, d, "g"); got != "" {
		t.Errorf("of what was published, %q is resumed", got)
	}
	stagesAre(t, path, 0)
}

// What an old session has synced does not count any more once its person has
// begun anew, or published.
func TestSyncedByLateSession(t *testing.T) {
	truncate := vfs.CreateOptions{Truncate: true}
	for story, do := range map[string]func(d *vfs.Upload, begin func(string, vfs.CreateOptions) vfs.Upload) error{
		"begun anew after it": func(_ *vfs.Upload, begin func(string, vfs.CreateOptions) vfs.Upload) error {
			begin("", truncate)
			return nil
		},
		"synced after it was begun anew": func(old *vfs.Upload, begin func(string, vfs.CreateOptions) vfs.Upload) error {
			begin("", truncate)
			return (*old).Sync()
		},
	} {
		path := t.TempDir()
		d := reopen(t, path, keepAll)
		old := begin(t, d, "f", "OLD", truncate)
		if err := old.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := do(&old, func(text string, o vfs.CreateOptions) vfs.Upload { return begin(t, d, "f", text, o) }); err != nil {
			t.Fatal(story, err)
		}
		d.Close()
		if got := resumed(t, reopen(t, path, keepAll), "f"); got != "" {
			t.Errorf("%s: what is resumed is %q", story, got)
		}
		stagesAre(t, path, 0)
	}
}

func TestSyncedThenAnotherIsPublishedAndMoved(t *testing.T) {
	path := t.TempDir()
	d := reopen(t, path, keepAll)
	old := begin(t, d, "f", "OLD", vfs.CreateOptions{})
	if err := old.Sync(); err != nil {
		t.Fatal(err)
	}
	anew := begin(t, d, "f", "new", vfs.CreateOptions{})
	if err := errors.Join(commit(anew), failure(d.Rename(t.Context(), "f", "g", false))); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if got := resumed(t, reopen(t, path, keepAll), "f"); got != "" {
		t.Errorf("what is resumed is %q", got)
	}
	stagesAre(t, path, 0)
}

// Names in the stage folder that only look like ours do no harm.
func TestStrangeNamesAmongStages(t *testing.T) {
	path := t.TempDir()
	reopen(t, path, keepAll).Close()
	for _, name := range []string{"saved-a-b-1-x", "saved---1-", "partial-x", "partial-"} {
		write(t, filepath.Join(path, ".shelf", name), "x")
	}
	reopen(t, path, keepAll)
}

// The time that a client asks for is given to the stage before it is published.
// When the crash comes between, what was synced is not too old to be kept.
func TestSyncedWithAnOldTime(t *testing.T) {
	path := t.TempDir()
	d := reopen(t, path, keepAll)
	if err := begin(t, d, "f", "beginning", vfs.CreateOptions{}).Sync(); err != nil {
		t.Fatal(err)
	}
	if err := age(t, path, time.Unix(1, 0), int64(len("beginning"))); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if got := resumed(t, reopen(t, path, keepAll), "f"); got != "beginning" {
		t.Errorf("what is resumed is %q", got)
	}
}

// A size that is set by name is a copy of the file. What is published while it
// is copied is not undone by it.
func TestResizeAgainstPublish(t *testing.T) {
	d, path := openDir(t, local.Options{Durability: local.NoFsync})
	const large = 8 << 20
	for i := range 20 {
		put(t, d, "f", large, vfs.CreateOptions{Create: true, Truncate: true}, commit)
		published := make(chan error)
		go func() {
			time.Sleep(time.Duration(i) * 200 * time.Microsecond) // anywhere in the copy
			u, err := d.Create(context.Background(), "f", vfs.CreateOptions{Create: true, Truncate: true})
			if err == nil {
				_, err = u.WriteAt([]byte("new"), 0)
			}
			if err == nil {
				err = commit(u)
			}
			published <- err
		}()
		_, err := d.SetAttr(t.Context(), "f", vfs.Attr{HasSize: true, Size: large - 1})
		if err := errors.Join(err, <-published); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(path, "f"))
		if err != nil || !strings.HasPrefix(string(text), "new") {
			t.Fatalf("round %d: the file has %d bytes, not of what was published last (%v)", i, len(text), err)
		}
	}
}
