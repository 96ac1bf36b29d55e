package access_test

import (
	"context"
	"crypto"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
)

// keeper is a gate that keeps uploads: by account and name the text.
type keeper struct {
	gate
	r    *temporaries
	held map[string]string
	up   map[string]access.Upload
	log  []string
}

func (k *keeper) Holds(string, string) bool { return true }

func (k *keeper) Hold(_ context.Context, u access.Upload, s vfs.Staged) (string, error) {
	text := make([]byte, s.Size)
	s.Content.ReadAt(text, 0)
	if string(text) == "full" {
		return "", &vfs.Error{Kind: vfs.ErrNoSpace, Why: "no room"}
	}
	k.held[u.Account+" "+s.Name], k.up[s.Name] = string(text), u
	return "id of " + s.Name, nil
}

// Begin comes after the event.
func (k *keeper) Begin(id string) {
	last := k.r.events[len(k.r.events)-1]
	k.log = append(k.log, id+" after "+last.Op+" "+last.Gate)
}

func (k *keeper) find(account, name string) (string, error) {
	text, ok := k.held[account+" "+name]
	if !ok {
		return "", vfs.NotExist()
	}
	return text, nil
}

func (k *keeper) Held(account, name string) (vfs.Info, error) {
	text, err := k.find(account, name)
	return vfs.Info{Name: name, Size: int64(len(text))}, err
}

func (k *keeper) OpenHeld(account, name string) (vfs.File, error) {
	text, err := k.find(account, name)
	if err != nil {
		return nil, err
	}
	return keptFile{strings.NewReader(text)}, nil
}

type keptFile struct{ *strings.Reader }

func (f keptFile) Stat() (vfs.Info, error) { return vfs.Info{Size: f.Size()}, nil }
func (f keptFile) Close() error            { return nil }

func (k *keeper) SetHeld(_ context.Context, account, name string, a vfs.Attr) error {
	k.log = append(k.log, "set "+name)
	_, err := k.find(account, name)
	return err
}

func (k *keeper) RenameHeld(_ context.Context, account, old, new string, replace bool) error {
	text, err := k.find(account, old)
	if err == nil {
		delete(k.held, account+" "+old)
		k.held[account+" "+new] = text
	}
	return err
}

func (k *keeper) DropHeld(_ context.Context, account, name string) error {
	_, err := k.find(account, name)
	delete(k.held, account+" "+name)
	return err
}

// keeping is a keeper and two sessions, of ada and of somebody else, with these rights.
func keeping(t *testing.T, may vfs.Permissions) (k *keeper, ada, other *access.Session, r *temporaries) {
	r = newTemporaries(t)
	k = &keeper{r: r, held: make(map[string]string), up: make(map[string]access.Upload)}
	session := func(account string) *access.Session {
		s := access.New(context.Background(), access.Options{
			Account: account, Temporaries: r.held, Origin: vfs.Origin{Conn: "of " + account},
			Shares: map[string]access.Share{"": {Source: access.Opened(r.lib), Permissions: may, Gate: k}},
			Report: func(e vfs.Event) error { r.events = append(r.events, e); return nil },
		})
		t.Cleanup(s.End)
		return s
	}
	return k, session("ada"), session("eve"), r
}

// TestKeptUpload is what its account may do with an upload that waits, and others not.
func TestKeptUpload(t *testing.T) {
	k, ada, eve, r := keeping(t, vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true})
	if err := replace(ada, "new", "text"); err != nil {
		t.Fatal(err)
	}
	e := r.events[len(r.events)-1]
	if e.Op != "hold" || e.Gate != vfs.GateHeld || e.Held != "id of new" || e.File.Size != 4 || e.Bytes != 4 || e.Err != nil || !e.Durable {
		t.Errorf("%+v", e)
	}
	if u := k.up["new"]; !u.Replace || u.From.Conn != "of ada" || u.Bytes != 4 {
		t.Errorf("%+v", u)
	}
	if !slices.Equal(k.log, []string{"id of new after hold held"}) || len(k.asked) > 0 {
		t.Errorf("%q, judged: %q", k.log, k.asked)
	}
	if _, err := r.lib.Stat(t.Context(), "new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is published: %v", err)
	}
	if i, err := ada.Stat("new"); err != nil || i.Size != 4 {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := ada.Digest("new", crypto.SHA256); err != nil {
		t.Error(err)
	}
	_, read := ada.Open("new")
	_, changed := ada.Create("new", access.Flags{Create: true})
	for what, err := range map[string]error{"OPEN": read, "to go on": changed, "its size": ada.SetAttr("new", vfs.Attr{HasSize: true, Size: 1})} {
		if !errors.Is(err, vfs.ErrUnavailable) || !strings.Contains(err.Error(), "waits for the verdict") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ada.Create("new", access.Flags{Create: true, Exclusive: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a new one: %v", err)
	}
	// sshfs asks for no CREAT where it has seen a file.
	w, err := ada.Create("new", access.Flags{Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	w.WriteAt([]byte("text"), 0)
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	if _, err := eve.Create("new", access.Flags{Truncate: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("TRUNC without CREAT of another: %v", err)
	}
	_, stat := eve.Stat("new")
	_, read = eve.Open("new")
	_, sum := eve.Digest("new", crypto.SHA256)
	for what, err := range map[string]error{
		"STAT": stat, "OPEN": read, "digest": sum, "REMOVE": eve.Remove("new"), "RENAME": eve.Rename("new", "x", true),
		"SETSTAT": eve.SetAttr("new", vfs.Attr{HasMode: true, Mode: 0o600}),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of another: %v", what, err)
		}
	}
	if err := ada.SetAttr("new", vfs.Attr{HasTimes: true, Mtime: time.Unix(1, 0)}); err != nil {
		t.Error(err)
	}
	// What is published under the name goes with it, and is kept from who says nothing.
	if err := ada.Rename("new", "a", false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("RENAME over a file: %v", err)
	}
	before := len(r.events)
	if err := ada.Rename("new", "a", true); err != nil || k.held["ada a"] != "text" || len(r.events) != before {
		t.Errorf("%v, kept are %q, told is %+v", err, k.held, r.events[before:])
	}
	if err := ada.Rename("a", "b", true); err != nil || k.held["ada b"] != "text" {
		t.Errorf("%v, kept are %q", err, k.held)
	}
	if i, err := r.lib.Stat(t.Context(), "b"); err != nil || i.Size != 3 {
		t.Errorf("the old version: %+v, %v", i, err)
	}
	if err := ada.Remove("b"); err != nil || len(k.held) > 0 {
		t.Errorf("%v, kept are %q", err, k.held)
	}
	if _, err := ada.Stat("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("REMOVE has left the old version")
	}
	if err := replace(ada, "c", "full"); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("without room: %v", err)
	}
}

// TestKeptUploadInADropBox lets an account that may only create see, rename and remove
// what waits, and put no other in its place.
func TestKeptUploadInADropBox(t *testing.T) {
	k, ada, _, _ := keeping(t, vfs.Permissions{Write: true})
	if err := replace(ada, "new", "text"); err != nil || k.up["new"].Replace {
		t.Fatal(err, k.up)
	}
	if err := replace(ada, "new", "more"); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "may not replace") {
		t.Errorf("once more: %v", err)
	}
	if _, err := ada.Digest("new", crypto.SHA256); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("its digest: %v", err)
	}
	if _, err := ada.Stat("new"); err != nil {
		t.Error(err)
	}
	if err := ada.Rename("new", "renamed", false); err != nil || k.held["ada renamed"] != "text" {
		t.Error(err)
	}
	if err := ada.Remove("renamed"); err != nil || len(k.held) > 0 {
		t.Error(err)
	}
}

// TestKeptUnderATemporaryName keeps an upload that is renamed in its session with the
// name that it is to have.
func TestKeptUnderATemporaryName(t *testing.T) {
	k, ada, _, _ := keeping(t, editor())
	for _, name := range []string{"a.filepart", ".giosave123456"} {
		if err := replace(ada, name, "text"); err != nil || len(k.held) > 0 {
			t.Errorf("%s: %v, kept are %q", name, err, k.held)
		}
		if err := ada.Rename(name, "a", true); err != nil || k.held["ada a"] != "text" {
			t.Errorf("%s: %v, kept are %q", name, err, k.held)
		}
		k.DropHeld(t.Context(), "ada", "a")
	}
}
