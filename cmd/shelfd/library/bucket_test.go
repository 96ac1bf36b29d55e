package library

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/tests/objectstore"
	"shelf/vfs"
)

// inStore starts a store that keeps versions, and has the settings of a library there.
func inStore(t *testing.T, url string, l config.Library) (*objectstore.Store, config.Settings) {
	t.Helper()
	if _, err := exec.LookPath(objectstore.Program); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, objectstore.Bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := objectstore.Start(folder, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Stop)
	if err := store.KeepVersions(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := configured(t, "", nil)
	l.Bucket, l.Endpoint, l.PathStyle = "s3://"+objectstore.Bucket+url, store.URL, true
	if l.CredentialsFile, err = objectstore.WriteCredentials(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	l.AllowDegraded = []string{"put-if-absent-after-delete"} // a known fault of this store
	s.Libraries["in"] = l
	return store, s
}

// with is settings with another library "in".
func with(s config.Settings, change func(*config.Library)) config.Settings {
	l := s.Libraries["in"]
	change(&l)
	s.Libraries = map[string]config.Library{"in": l}
	return s
}

func versionsOf(t *testing.T, l vfs.Library, name string) int {
	t.Helper()
	h, ok := vfs.As[vfs.History](l)
	if !ok {
		t.Fatal("it offers no versions")
	}
	all, err := h.Versions(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// When the settings of a library change while a session has it, nothing goes any more by those
// that were.
func TestSettingsOfABucketChange(t *testing.T) {
	t.Parallel()
	_, s := inStore(t, "/in", config.Library{KeepVersions: new(uint16(1))})
	set := newSet(t, s)
	set.Open()
	before, release := set.mustOpen(t, "in", "")
	defer release()
	for n := range 4 {
		if err := put(before, "f", n+1); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(l vfs.Library, want int) {
		t.Helper()
		h, _ := vfs.As[vfs.History](l)
		if err := h.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := versionsOf(t, l, "f"); n != want {
			t.Errorf("there are %d versions, want %d", n, want)
		}
	}
	set.Change(with(s, func(l *config.Library) { l.Hold = &config.Hold{Always: true} }))
	sweep(before, 3)
	after, release := set.mustOpen(t, "in", "")
	defer release()
	sweep(after, 3)
	set.Change(with(s, func(l *config.Library) { l.KeepVersions = new(uint16(2)) }))
	sweep(after, 3)
	sweep(before, 3)
	last, release := set.mustOpen(t, "in", "")
	defer release()
	sweep(last, 2)
}

// Old versions that can't be removed keep no file of an account from expiring.
func TestExpiryThoughVersionsStay(t *testing.T) {
	t.Parallel()
	store, s := inStore(t, "/%u", config.Library{KeepVersions: new(uint16(1)), ExpireAfter: &config.Age{Duration: time.Minute}})
	proxy, err := objectstore.NewProxy(store.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	s = with(s, func(l *config.Library) { l.Endpoint = proxy.URL })
	for _, key := range []string{"ada/f", "ada/f", "ada/f", "bob/f"} {
		if err := store.Put(t.Context(), key, "text"); err != nil {
			t.Fatal(err)
		}
	}
	stayed := 0
	proxy.SpoilBy(func(r *http.Request) objectstore.Fault {
		if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/ada/f") && r.URL.Query().Has("versionId") {
			stayed++
			return objectstore.Forbidden
		}
		return objectstore.None
	})
	set := newSet(t, s)
	set.Open()
	gone := make(map[string]error)
	told := func(x Expired) error { gone[x.Account] = x.Err; return nil }
	e := &expiring{set: set, ready: func() error { return nil }, told: told, last: make(map[string]time.Time)}
	e.round(context.Background(), time.Now().Add(time.Hour))
	if stayed == 0 || len(gone) != 2 || gone["ada"] != nil || gone["bob"] != nil {
		t.Errorf("%d versions stay, gone are %v", stayed, gone)
	}
}

// While the store is away it is not tried for each account: other libraries wait for that.
func TestExpiryWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	store, s := inStore(t, "/%u", config.Library{ExpireAfter: &config.Age{Duration: time.Minute}})
	proxy, err := objectstore.NewProxy(store.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	s = with(s, func(l *config.Library) { l.Endpoint = proxy.URL })
	for _, account := range []string{"ada", "bob"} {
		if err := store.Put(t.Context(), account+"/f", "text"); err != nil {
			t.Fatal(err)
		}
	}
	asked := make(map[string]bool)
	proxy.SpoilBy(func(r *http.Request) objectstore.Fault {
		account, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+objectstore.Bucket+"/"), "/.shelf/expiry")
		if !ok {
			return objectstore.None
		}
		asked[account] = true
		return objectstore.Unavailable
	})
	set := newSet(t, s)
	set.Open()
	e := &expiring{set: set, ready: func() error { return nil }, told: func(Expired) error { return nil }, last: make(map[string]time.Time)}
	e.round(context.Background(), time.Now().Add(time.Hour))
	if len(asked) != 1 {
		t.Errorf("asked for %v", asked)
	}
}
