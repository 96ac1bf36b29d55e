package access_test

import (
	"context"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// Who watches sees each file that is read or written, from its opening to its
// end, under the name that it will have.
func TestTransfers(t *testing.T) {
	lib := vfstest.NewMemory()
	vfstest.Put(t, lib, "there", "12345")
	var traffic access.Traffic
	watched := access.Transfers{Total: &traffic}
	s := access.New(context.Background(), access.Options{Library: lib, Permissions: everything(), Transfers: &watched})
	see := func(what string, want ...access.Transfer) {
		t.Helper()
		got := watched.Now()
		if len(got) != len(want) {
			t.Fatalf("%s: %+v", what, got)
		}
		for i := range got {
			if got[i].Started.IsZero() {
				t.Errorf("%s: when it began is not told", what)
			}
			want[i].Started = got[i].Started
			if got[i] != want[i] {
				t.Errorf("%s: got %+v, want %+v", what, got[i], want[i])
			}
		}
	}

	r, err := s.Open("there")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 2), 1); err != nil {
		t.Fatal(err)
	}
	reading := access.Transfer{Name: "there", Bytes: 2, Size: 5}
	see("a read", reading)
	w, err := s.Create("new", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteAt([]byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	see("a write", reading, access.Transfer{Upload: true, Name: "new", Bytes: 3, Size: -1})
	if err := w.SetAttr(vfs.Attr{HasSize: true, Size: 7}); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename("new", "other", false); err != nil {
		t.Fatal(err)
	}
	see("a rename", reading, access.Transfer{Upload: true, Name: "other", Bytes: 3, Size: 7})
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	see("a commit", reading)
	if err := r.Close(nil); err != nil {
		t.Fatal(err)
	}
	see("the end")
	if in, out := traffic.Received.Load(), traffic.Sent.Load(); in != 3 || out != 2 {
		t.Errorf("received %d, sent %d", in, out)
	}
}
