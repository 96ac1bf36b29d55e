package bucket_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/bucket"
)

// A file that is renamed and back has the same ETag again. So who still has to remove
// the old name of the first rename must not take the copy of the second one for it;
// and a file that is put again while it is removed must not go, too.
func TestSameContentAgain(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*testing.T, *bucket.Bucket){
		"renamed back": func(t *testing.T, b *bucket.Bucket) {
			if _, err := b.Rename(t.Context(), "y", "x", true); err != nil {
				t.Errorf("y to x: %v", err)
			}
		},
		"put again": func(t *testing.T, b *bucket.Bucket) { put(t, b, "x", []byte("text")) },
	} {
		for _, when := range []string{"/x", "/.shelf/turn/"} {
			g := startGateway(t, false)
			p := startProxy(t, g)
			o := g.options(t)
			second := open(t, o)
			o.Connection.Endpoint = p.url
			first := open(t, o)
			put(t, first, "x", []byte("text"))
			copied, met := false, false
			var other sync.WaitGroup
			p.spoilBy(func(r *http.Request) fault {
				copied = copied || r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/y")
				isDelete := r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, when)
				isTurn := r.Method == http.MethodPut && copied && strings.Contains(r.URL.Path, when)
				if met || !isDelete && !isTurn {
					return none
				}
				met = true
				other.Go(func() { again(t, second) })
				if isTurn {
					other.Wait()
					return none
				}
				return slow // the other one has the time, if it does not wait
			})
			if _, err := first.Rename(t.Context(), "x", "y", true); err != nil {
				t.Errorf("x to y: %v", err)
			}
			other.Wait()
			if !met {
				t.Fatal("they did not meet")
			}
			if _, err := second.Stat(t.Context(), "x"); err != nil {
				t.Errorf("%s, at %s: x: %v", name, when, err)
			}
			if _, err := second.Stat(t.Context(), "y"); name == "renamed back" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s, at %s: y: %v", name, when, err)
			}
		}
	}
}

// A turn that was given back, and a record that was dropped, can be had again in a store
// that lets nobody make again what was removed.
func TestAgainOverMarkers(t *testing.T) {
	t.Parallel()
	g := startGateway(t, true)
	g.version(t)
	o := g.options(t)
	o.Allow = []string{"put-if-absent-after-delete"}
	o.Partials = bucket.PartialRules{MinSize: 1, PerAccount: 2}
	lib := open(t, o)
	put(t, lib, "f", []byte("text"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := range 3 {
		back, err := lib.TakeTurn(ctx, "f")
		if err != nil {
			t.Fatalf("turn %d: %v", n, err)
		}
		back()
	}
	for n := range 2 {
		u, err := lib.Create(ctx, "cut", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
		if err == nil {
			_, err = u.WriteAt([]byte("some text"), 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		k, _ := vfs.As[vfs.Keeper](u)
		if err := k.Keep(); err != nil {
			t.Fatal(err)
		}
		if i, err := lib.Partial(ctx, "ada", "cut"); err != nil || i.Size == 0 {
			t.Errorf("partial %d: %d bytes, %v", n, i.Size, err)
		}
	}
}

// A partial that a node had no room for can be resumed later.
func TestPartialIsPutBack(t *testing.T) {
	t.Parallel()
	o := startGateway(t, false).options(t)
	o.Partials = bucket.PartialRules{MinSize: 1, PerAccount: 2}
	u, err := open(t, o).Create(t.Context(), "cut", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
	if err == nil {
		_, err = u.WriteAt(text(1, 100<<10), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	k, _ := vfs.As[vfs.Keeper](u)
	if err := k.Keep(); err != nil {
		t.Fatal(err)
	}
	small, err := bucket.OpenSpool(t.TempDir(), 50<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	o.Spool = small
	lib := open(t, o)
	if _, err := lib.Create(t.Context(), "cut", vfs.CreateOptions{Create: true, Owner: "ada"}); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("without room: %v", err)
	}
	if i, err := lib.Partial(t.Context(), "ada", "cut"); err != nil || i.Size != 100<<10 {
		t.Errorf("what can be resumed then is %d bytes, %v", i.Size, err)
	}
}
