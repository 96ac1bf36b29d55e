package vfstest

import (
	"context"
	"io/fs"
	"slices"
	"strconv"
	"testing"
	"time"

	"shelf/vfs"
)

// old is a version that a Memory keeps.
type old struct {
	id   string
	kept time.Time
	v    *version
}

// keep keeps what a name stands for no more; mu is held.
func (m *Memory) keep(name string, v *version) {
	if m.history != nil {
		id := strconv.Itoa(len(m.history[name]) + 1)
		m.history[name] = append(m.history[name], old{id, time.Now(), v})
	}
}

// Versions implements [vfs.History].
func (m *Memory) Versions(_ context.Context, name string) (all []vfs.OldVersion, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range slices.Backward(m.history[name]) {
		if o.v != nil {
			all = append(all, vfs.OldVersion{ID: o.id, Kept: o.kept, Size: int64(len(o.v.data)), ModTime: o.v.mtime})
		}
	}
	return all, nil
}

// Restore implements [vfs.History].
func (m *Memory) Restore(ctx context.Context, name, id string, replace bool) (c vfs.Change, err error) {
	if err := ctx.Err(); err != nil {
		return c, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := strconv.Atoi(id)
	if all := m.history[name]; err != nil || n < 1 || n > len(all) || all[n-1].v == nil {
		return c, vfs.NotExist()
	}
	is := m.files[name]
	if is != nil && !replace {
		return c, vfs.Exists()
	}
	back := m.history[name][n-1].v
	m.history[name][n-1].v = nil
	if is != nil {
		c.Replaced = is.info(name)
		m.keep(name, is)
	}
	m.files[name] = back
	c.After = back.info(name)
	return c, nil
}

// Sweep implements [vfs.History].
func (*Memory) Sweep(context.Context) error { return nil }

// testHistory: what is replaced or removed comes back, byte for byte, and is nothing
// that a name leads to before.
func testHistory(t *testing.T, s suite) {
	lib, ok := vfs.As[vfs.History](s.Library)
	if s.Properties().KeepsVersions && !ok {
		t.Fatal("it keeps versions, and can't tell which")
	}
	if !s.Properties().KeepsVersions {
		s.put("f", "old")
		s.put("f", "new")
		if ok {
			s.versions(lib, "f")
		}
		return
	}
	s.versions(lib, "f")
	s.put("f", "first")
	s.put("f", "the second")
	s.versions(lib, "f", "first")
	mode := vfs.Attr{HasMode: true, Mode: 0o600, HasTimes: true, Mtime: time.Unix(1e9, 0), Atime: time.Unix(1e9, 0)}
	s.set("f", mode) // is no new version
	s.put("g", "another")
	s.rename("g", "f", true)
	s.versions(lib, "g")
	s.versions(lib, "f", "first", "the second")
	s.set("f", vfs.Attr{HasSize: true, Size: 2})
	s.ok(s.Remove(t.Context(), "f"))
	all := s.versions(lib, "f", "first", "the second", "another", "an")
	s.hasNot("f")
	if names := s.names(); len(names) != 0 {
		t.Fatalf("listed %q", names)
	}
	for _, v := range all {
		s.hasNot(v.ID)
		s.hasNot("f/" + v.ID)
	}
	s.is(failure(lib.Restore(t.Context(), "f", "nonsense", true)), fs.ErrNotExist)
	s.is(failure(lib.Restore(t.Context(), "f", "../f/"+all[0].ID, true)), fs.ErrNotExist)
	s.is(failure(lib.Restore(t.Context(), "g", all[0].ID, true)), fs.ErrNotExist)
	second := all[2]
	if !second.ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("it was last modified %v", second.ModTime)
	}
	c, err := lib.Restore(t.Context(), "f", second.ID, false)
	s.ok(err)
	s.has("f", "the second")
	if now := s.look("f"); c.After != now || c.Replaced != (vfs.Info{}) || now.Mode != 0o600 || !now.ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("Restore says %+v; it is %+v", c, now)
	}
	s.is(failure(lib.Restore(t.Context(), "f", second.ID, true)), fs.ErrNotExist) // it is published
	s.is(failure(lib.Restore(t.Context(), "f", all[3].ID, false)), fs.ErrExist)
	s.has("f", "the second")
	before := s.look("f")
	c, err = lib.Restore(t.Context(), "f", all[3].ID, true)
	s.ok(err)
	s.has("f", "first")
	if c.Replaced != before || c.After != s.look("f") {
		t.Errorf("Restore says %+v; there was %+v", c, before)
	}
	s.versions(lib, "f", "another", "an", "the second")

	s.ok(lib.Sweep(t.Context()))
	s.versions(lib, "f", "another", "an", "the second")

	// What has not come to be replaces nothing.
	u := s.create("f", vfs.CreateOptions{Create: true, Truncate: true})
	s.write(u, 0, "never")
	s.ok(u.Abort())
	u = s.create("f2", vfs.CreateOptions{Create: true, Exclusive: true})
	s.write(u, 0, "never")
	s.put("f2", "there")
	s.is(failure(u.Commit(t.Context())), fs.ErrExist)
	s.versions(lib, "f2")
	s.versions(lib, "f", "another", "an", "the second")
}

// versions checks which versions there are of a name, by their sizes, the oldest first,
// and returns them, the newest first.
func (s suite) versions(lib vfs.History, name string, want ...string) []vfs.OldVersion {
	s.t.Helper()
	all, err := lib.Versions(s.t.Context(), name)
	s.ok(err)
	if len(all) != len(want) {
		s.t.Fatalf("%s has %d versions, want %d: %+v", name, len(all), len(want), all)
	}
	for i, v := range all {
		if text := want[len(want)-1-i]; v.Size != int64(len(text)) || v.ID == "" || time.Since(v.Kept) > time.Hour {
			s.t.Fatalf("version %d of %s is %+v, want %q", i, name, v, text)
		}
	}
	return all
}

// testExpiry: only what was not changed for so long has expired, and only that version
// is removed.
func testExpiry(t *testing.T, s suite) {
	lib, ok := vfs.As[vfs.Expiry](s.Library)
	if !ok {
		return
	}
	s.put("f", "x")
	s.put("g", "y")
	long := vfs.Attr{HasTimes: true, Mtime: time.Unix(1e9, 0), Atime: time.Unix(1e9, 0)}
	s.set("f", long) // what a client says is no reason
	for i, err := range lib.Expired(t.Context(), time.Now().Add(-time.Hour)) {
		t.Errorf("it has expired: %+v, %v", i, err)
	}
	expired := make(map[string]vfs.Info)
	for i, err := range lib.Expired(t.Context(), time.Now().Add(time.Hour)) {
		s.ok(err)
		expired[i.Name] = i
	}
	if len(expired) != 2 || expired["f"] != s.look("f") {
		t.Fatalf("expired are %+v", expired)
	}
	// An upload may have begun long before.
	u := s.create("slow", vfs.CreateOptions{Create: true, Truncate: true})
	s.write(u, 0, "slow")
	const ticks = 50 * time.Millisecond // of the clock of any file system
	time.Sleep(ticks)
	begun := time.Now()
	time.Sleep(ticks)
	s.commit(u)
	for i, err := range lib.Expired(t.Context(), begun) {
		if s.ok(err); i.Name == "slow" {
			t.Errorf("it has expired since its upload began: %+v", i)
		}
	}
	s.put("f", "newer")
	s.is(lib.RemoveVersion(t.Context(), "f", expired["f"].Version), fs.ErrNotExist)
	s.has("f", "newer")
	s.ok(lib.RemoveVersion(t.Context(), "g", expired["g"].Version))
	s.hasNot("g")
}
