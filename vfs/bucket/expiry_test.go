package bucket_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/bucket"
)

// age has the store believe that what lies below a key was written ten days ago.
func (g *gateway) age(t *testing.T, key string) {
	t.Helper()
	then, n := time.Now().Add(-10*24*time.Hour), 0
	err := filepath.WalkDir(filepath.Join(g.folder, bucketName, key), func(path string, _ fs.DirEntry, err error) error {
		n++
		return errors.Join(err, os.Chtimes(path, then, then))
	})
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
}

func expired(t *testing.T, lib *bucket.Bucket, before time.Time) (all []vfs.Info) {
	t.Helper()
	for i, err := range lib.Expired(t.Context(), before) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	return all
}

// What counts is when the store got a file, or what lies beside it. Of a large file stores
// may say when its upload began, which may be long before it was published.
func TestExpiresByTheTimeOfTheStore(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	o.Expires = true
	lib := open(t, o)
	for _, name := range []string{"old", "new", "touched"} {
		put(t, lib, name, []byte(name))
	}
	put(t, lib, "large", text(1, 9<<20))
	for _, name := range []string{"old", "touched", "large"} {
		g.age(t, o.Prefix+"/"+name)
	}
	if _, err := lib.SetAttr(t.Context(), "touched", vfs.Attr{HasTimes: true, Mtime: time.Unix(1e9, 0), Atime: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	names := func() (all []string) {
		for _, i := range expired(t, lib, hourAgo) {
			all = append(all, i.Name)
			if now, err := lib.Stat(t.Context(), i.Name); err != nil || now != i {
				t.Errorf("%s is told as %+v; it is %+v, %v", i.Name, i, now, err)
			}
		}
		return all
	}
	if got := names(); !slices.Equal(got, []string{"old"}) {
		t.Errorf("expired are %q", got)
	}
	g.age(t, o.Prefix+"/.shelf/a")
	if got := names(); !slices.Equal(got, []string{"large", "old", "touched"}) {
		t.Errorf("when all of it is old, expired are %q", got)
	}
}

// A large file that was published just now does not say so yet, and the store may tell when its
// upload began. One that never says it goes when an upload can't have lasted that long.
func TestLargeFileStaysWhenItIsPublished(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	p := startProxy(t, g)
	o := g.options(t)
	o.Expires = true
	second := open(t, o)
	o.Connection.Endpoint = p.url
	first := open(t, o)
	hourAgo, met := time.Now().Add(-time.Hour), false
	p.spoilBy(func(r *http.Request) fault {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/.shelf/a/") {
			return none
		}
		met = true
		g.age(t, o.Prefix+"/large")
		for _, i := range expired(t, second, hourAgo) {
			t.Errorf("it has expired: %+v", i)
		}
		return none
	})
	put(t, first, "large", text(1, 9<<20))
	if !met {
		t.Fatal("nothing lies beside it")
	}

	o.Expires = false
	put(t, open(t, o), "silent", text(2, 9<<20))
	g.age(t, o.Prefix+"/silent")
	for days, want := range map[time.Duration]int{6: 0, 4: 1} {
		o.Expires, o.Partials.MaxAge = true, days*24*time.Hour
		if all := expired(t, open(t, o), hourAgo); len(all) != want {
			t.Errorf("with partials of %d days, expired are %+v", days, all)
		}
	}
}

// A file that is put again with the same content while it expires, has the same ETag, and is
// another one: it stays. Of two nodes that remove a version one alone does.
func TestSameContentStays(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	p := startProxy(t, g)
	o := g.options(t)
	second := open(t, o)
	o.Connection.Endpoint = p.url
	first := open(t, o)
	for _, when := range []string{"/x", "/.shelf/turn/"} {
		put(t, second, "x", []byte("text"))
		was, err := second.Stat(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		var other sync.WaitGroup
		met := false
		p.spoilBy(func(r *http.Request) fault {
			isDelete := r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, when)
			isTurn := r.Method == http.MethodPut && strings.Contains(r.URL.Path, when)
			if met || !isDelete && !isTurn {
				return none
			}
			met = true
			other.Go(func() { put(t, second, "x", []byte("text")) })
			if isTurn {
				other.Wait()
				return none
			}
			return slow // the other one has the time, if it does not wait
		})
		err = first.RemoveVersion(t.Context(), "x", was.Version)
		other.Wait()
		p.spoilBy(nil)
		if !met {
			t.Fatal("they did not meet")
		}
		if isTurn := strings.Contains(when, "turn"); isTurn != errors.Is(err, fs.ErrNotExist) || !isTurn && err != nil {
			t.Errorf("at %s: %v", when, err)
		}
		has(t, second, "x", []byte("text"))
	}

	was, err := second.Stat(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	errs := make([]error, 2)
	for n, node := range []*bucket.Bucket{first, second} {
		both.Go(func() { errs[n] = node.RemoveVersion(t.Context(), "x", was.Version) })
	}
	both.Wait()
	if removed := slices.Index(errs, nil); removed < 0 || !errors.Is(errs[1-removed], fs.ErrNotExist) {
		t.Errorf("two remove one version: %v", errs)
	}
}

// What is for one node at a time is done by one, and by another when that is long ago.
func TestOneNodeTakesItOn(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	nodes := []*bucket.Bucket{open(t, o), open(t, o), open(t, o)}
	takers := func(lately time.Duration) (n int) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for _, node := range nodes {
			all.Go(func() {
				mine, err := node.TakeOn(t.Context(), "expiry", lately)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if mine {
					n++
				}
			})
		}
		all.Wait()
		return n
	}
	if n := takers(time.Hour); n != 1 {
		t.Errorf("%d nodes have taken it on", n)
	}
	if n := takers(time.Hour); n != 0 {
		t.Errorf("%d nodes have taken it on again", n)
	}
	g.age(t, o.Prefix+"/.shelf/expiry")
	if n := takers(time.Hour); n != 1 {
		t.Errorf("after a while %d nodes have taken it on", n)
	}
}
