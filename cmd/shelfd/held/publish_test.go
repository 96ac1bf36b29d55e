package held_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/held"
	"shelf/cmd/shelfd/quarantine"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// failing is a library whose uploads fail.
type failing struct {
	vfs.Library
	begin, end error
}

func (l failing) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	if l.begin != nil {
		return nil, l.begin
	}
	u, err := l.Library.Create(ctx, name, o)
	return failingUpload{u, l.end}, err
}

type failingUpload struct {
	vfs.Upload
	err error
}

func (u failingUpload) Commit(ctx context.Context) (vfs.Change, error) {
	if u.err != nil {
		u.Abort()
		return vfs.Change{}, u.err
	}
	return u.Upload.Commit(ctx)
}

// TestFaultsAreNoRefusals publishes into a library that fails: a fault is tried again,
// and told nobody before that has come to an end, and a rule refuses for good.
func TestFaultsAreNoRefusals(t *testing.T) {
	i, file := upload(t)
	for _, one := range []struct {
		err   error
		again bool
	}{
		{vfs.SystemError("open", unix.EROFS), true},
		{vfs.SystemError("open", unix.EACCES), true},
		{vfs.SystemError("open", unix.ENOENT), true}, // the folder of the library
		{vfs.SystemError("write", unix.ENOSPC), true},
		{vfs.SystemError("write", unix.EFBIG), true},
		{vfs.SystemError("write", unix.EIO), true},
		{context.Canceled, true},
		{&vfs.Error{Kind: vfs.ErrUncertain}, true},
		{vfs.SystemError("link", unix.EEXIST), false},
		{vfs.SystemError("open", unix.EISDIR), false},
		{vfs.FileTooLarge(3), false},
		{&vfs.Error{Kind: fs.ErrPermission, Why: "no"}, false},
	} {
		for _, l := range []failing{{Library: vfstest.NewMemory(), begin: one.err}, {Library: vfstest.NewMemory(), end: one.err}} {
			told := 0
			p := publisher(l, func(sshd.Event) error { told++; return nil })
			err := p.Publish(t.Context(), i, file, vfs.GatePassed)
			if err == nil || held.Again(err) != one.again || (told == 0) != one.again {
				t.Errorf("%v: %v, again: %v, told: %d", one.err, err, held.Again(err), told)
			}
			if _, err := l.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v: %v", one.err, err)
			}
		}
	}
}

// TestPublishedAndNotRecorded has the event of what is published fail: it may be there,
// so it is not simply published again.
func TestPublishedAndNotRecorded(t *testing.T) {
	i, file := upload(t)
	l := vfstest.NewMemory()
	p := publisher(l, func(sshd.Event) error { return errors.New("the disk is full") })
	if err := p.Publish(t.Context(), i, file, vfs.GatePassed); !errors.Is(err, vfs.ErrUncertain) {
		t.Error(err)
	}
	if _, err := l.Stat(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// upload is one that waits, and its content.
func upload(t *testing.T) (quarantine.Item, *os.File) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err == nil {
		t.Cleanup(func() { file.Close() })
		_, err = file.WriteString("text")
	}
	if err != nil {
		t.Fatal(err)
	}
	return quarantine.Item{ID: "A", Library: "in", Account: "ada", Name: "a", Size: 4, Held: new(quarantine.Held)}, file
}

// publisher publishes in a library, for accounts that may upload.
func publisher(l vfs.Library, report func(sshd.Event) error) held.Publisher {
	shares := map[string]access.Share{"": {Source: access.Opened(l), Label: "in", Permissions: vfs.Permissions{Write: true}}}
	return held.Publisher{
		Shares: func(string) (map[string]access.Share, error) { return shares, nil },
		Report: report, Sums: func() *access.Sums { return nil }, Log: slog.New(slog.DiscardHandler),
	}
}
