package local_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local"
)

// Something of the stage folder is taken from a server: what it had under way is not
// published and says why, the other goes on, and so does it after a moment.
func TestLostFolder(t *testing.T) {
	for story, c := range map[string]struct {
		lose   func(t *testing.T, path, folder string)
		unseen bool // it is not seen by what is under way
	}{
		"its folder":                       {lose: func(t *testing.T, _, folder string) { removeAll(t, folder) }},
		"its stages":                       {lose: func(t *testing.T, _, folder string) { removeAll(t, folder+"/stage-*") }},
		"its lock, and another sweeps":     {lose: giveAway},
		"the lock of names":                {lose: func(t *testing.T, path, _ string) { removeAll(t, path+"/.shelf/names") }},
		"the lock of all":                  {lose: func(t *testing.T, path, _ string) { removeAll(t, path+"/.shelf/lock") }, unseen: true},
		"the file that says that it lives": {lose: func(t *testing.T, _, folder string) { removeAll(t, folder+"/owner") }, unseen: true},
	} {
		t.Run(story, func(t *testing.T) {
			path := t.TempDir()
			d := openOne(t, path, keepAll)
			folder := filepath.Join(path, ".shelf", instances(t, path)[0])
			other := openOne(t, path, keepAll)
			put(t, d, "there", 10, create, commit)
			under := begin(t, d, "under way", "text", vfs.CreateOptions{})
			c.lose(t, path, folder)
			err := commit(under)
			_, missing := os.Stat(filepath.Join(path, "under way"))
			if c.unseen && err != nil || !c.unseen && !errors.Is(err, vfs.ErrUnavailable) || (err == nil) != (missing == nil) {
				t.Errorf("what was under way ends with %v, and of its file there is %v", err, missing)
			}
			for _, one := range []*local.Dir{d, other} {
				eventually(t, "the server goes on", func() bool { return putSize(t, one, "again", 10, vfs.CreateOptions{Owner: "ada"}) == nil })
				if _, err := one.Stat(t.Context(), "there"); err != nil {
					t.Error(err)
				}
			}
			if err := errors.Join(d.Close(), other.Close()); err != nil {
				t.Error(err)
			}
			if left := instances(t, path); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
			stagesAre(t, path, 0)
		})
	}
}

// The whole stage folder has gone: the server says that it must be started again, and
// serves what there is.
func TestLostStageFolder(t *testing.T) {
	path := t.TempDir()
	said := new(said)
	d := openOne(t, path, local.Options{Log: slog.New(slog.NewTextHandler(said, nil))})
	put(t, d, "there", 10, create, commit)
	removeAll(t, path+"/.shelf")
	if err := putSize(t, d, "new", 10, vfs.CreateOptions{}); !errors.Is(err, vfs.ErrUnavailable) {
		t.Error(err)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(said.String(), "start the server again") })
	if _, err := d.Stat(t.Context(), "there"); err != nil {
		t.Error(err)
	}
	put(t, openOne(t, path, local.Options{}), "new", 10, create, commit)
}

// A server that has lost its folder tells the other what it holds of a limit, once.
func TestLostFolderAndQuota(t *testing.T) {
	path := t.TempDir()
	o := local.Options{Quota: 10 * block}
	d := openOne(t, path, o)
	folder := filepath.Join(path, ".shelf", instances(t, path)[0])
	other := openOne(t, path, o)
	under, err := d.Create(t.Context(), "under way", create)
	if err == nil {
		_, err = under.WriteAt(make([]byte, 6*block), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	removeAll(t, folder)
	eventually(t, "the server goes on", func() bool { return putSize(t, d, "one", block, vfs.CreateOptions{}) == nil })
	for _, one := range []*local.Dir{d, other} {
		if err := putSize(t, one, "past", 4*block, vfs.CreateOptions{}); !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("past the quota: %v", err)
		}
	}
	under.Abort()
	for _, one := range []*local.Dir{d, other} {
		if err := putSize(t, one, "past", 9*block, vfs.CreateOptions{}); err != nil {
			t.Error("after what was under way has ended:", err)
		}
	}
	if left, err := other.Space(t.Context()); err != nil || left.Free != 0 {
		t.Errorf("it says that there is room: %+v, %v", left, err)
	}
}

// said is a log.
type said struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func removeAll(t *testing.T, pattern string) {
	t.Helper()
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) == 0 {
		t.Fatalf("nothing is at %s: %v", pattern, err)
	}
	for _, path := range all {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// giveAway has the file system give the lock of an instance away, as when its machine
// was cut off for too long, and one that begins sweeps its folder.
func giveAway(t *testing.T, path, folder string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not tell which files are open")
	}
	for _, fd := range fds {
		link := filepath.Join("/proc/self/fd", fd.Name())
		if to, err := os.Readlink(link); err != nil || to != folder+"/owner" {
			continue
		}
		var is, at unix.Stat_t
		if unix.Stat(link, &is) == nil && unix.Stat(folder+"/owner", &at) == nil && is.Ino == at.Ino {
			n, err := strconv.Atoi(fd.Name())
			if err == nil {
				err = unix.Flock(n, unix.LOCK_UN)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	openOne(t, path, keepAll).Close()
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the folder was not swept: %v", err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}
