package access_test

import (
	"errors"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

func TestNames(t *testing.T) {
	refused := access.Names{Refused: []string{"*.exe", "~*", "secret"}}
	allowed := access.Names{Allowed: []string{"*.pdf", "*.CSV"}}
	both := access.Names{Allowed: []string{"*.pdf"}, Refused: []string{"draft*"}}
	for _, test := range []struct {
		rules access.Names
		name  string
		ok    bool
	}{
		{access.Names{}, "anything.exe", true},
		{refused, "a.exe", false},
		{refused, "A.EXE", false},
		{refused, "a.exe.txt", true},
		{refused, "a.exe. .", false}, // a.exe, to Windows
		{refused, "~tmp", false},
		{refused, "SECRET", false},
		{refused, "ſecret", false}, // the long s is an S in capitals
		{refused, "secrets", true},
		{refused, "a.exe.filepart", false}, // WinSCP will call it a.exe
		{refused, "a.exe.12345678.partial", false},
		{allowed, "a.pdf", true},
		{allowed, "a.Pdf", true},
		{allowed, "a.csv", true},
		{allowed, "a.pdf.exe", false},
		{allowed, "a", false},
		{allowed, "a.pdf.filepart", true},
		{allowed, "a.exe.part", false},
		{both, "x.pdf", true},
		{both, "draft.pdf", false},
	} {
		err := test.rules.Check(test.name)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, vfs.ErrName) {
			t.Errorf("%q under %+v: %v", test.name, test.rules, err)
		}
	}
	many := access.Names{Allowed: strings.Fields("a b c d e f g h i j k l m n")}
	if err := many.Check("x"); err == nil || strings.Contains(err.Error(), " k") {
		t.Errorf("with many patterns: %v", err)
	}
}

// TestNamesHoldForEachWay takes each way on which a file gets a name.
func TestNamesHoldForEachWay(t *testing.T) {
	r := newTemporaries(t)
	vfstest.Put(t, r.lib, "there.exe", "old")
	s := r.gated(nil, access.Names{Refused: []string{"*.exe"}}, access.Names{Allowed: []string{"?*"}})
	for _, name := range []string{"new.exe", "there.exe", "NEW.EXE", "new.exe.part"} {
		if err := replace(s, name, "x"); !errors.Is(err, vfs.ErrName) {
			t.Errorf("put %s: %v", name, err)
		}
	}
	if err := second(s.Create("there.exe", access.Flags{})); !errors.Is(err, vfs.ErrName) {
		t.Errorf("opened to go on: %v", err)
	}
	if err := s.Rename("a", "a.exe", true); !errors.Is(err, vfs.ErrName) || !strings.Contains(err.Error(), `"a.exe": names like *.exe`) {
		t.Errorf("rename: %v", err)
	}
	if err := replace(s, ".giosave123456", "x"); err != nil {
		t.Errorf("a hidden name is that of no file: %v", err)
	}
	if err := s.Rename(".giosave123456", "a.exe", true); !errors.Is(err, vfs.ErrName) {
		t.Errorf("rename of a hidden file: %v", err)
	}
	w, err := s.Create("b", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rename("b", "b.exe", true); !errors.Is(err, vfs.ErrName) {
		t.Errorf("rename of an upload: %v", err)
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	// What is there is read, renamed and removed as ever.
	if f, err := s.Open("there.exe"); err != nil {
		t.Error(err)
	} else {
		f.Close(nil)
	}
	if err := s.Rename("there.exe", "there.txt", false); err != nil {
		t.Error(err)
	}
	s.End()
	r.holds("a=old", "b=", "there.txt=old")
}
