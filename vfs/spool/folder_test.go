package spool

import (
	"os"
	"testing"
)

// The files of a folder have no names, and hold what is written.
func TestFolder(t *testing.T) {
	path := t.TempDir()
	f, err := OpenFolder(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		file, err := f.Create()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteAt([]byte("text"), 3); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 7)
		if _, err := file.ReadAt(got, 0); err != nil || string(got) != "\x00\x00\x00text" {
			t.Errorf("it has %q, %v", got, err)
		}
	}
	if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
		t.Errorf("there are %v, %v", left, err)
	}
	if !f.Take(60) || f.Take(60) || !f.Take(-20) || !f.Take(60) {
		t.Error("the limit does not count")
	}
}
