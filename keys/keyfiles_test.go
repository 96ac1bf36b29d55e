package keys

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Two percent signs are one, whatever follows.
func TestKeyFilesFolder(t *testing.T) {
	for pattern, want := range map[string]string{
		"/keys/%u": "/keys", "/keys/a-%u": "/keys", "/home/%u/.ssh/k": "/home", "/a/%%u/%u": "/a/%u", "/a/%%/%u/k": "/a/%", "/a/%%%u": "/a",
	} {
		if got := KeyFilesFolder(pattern); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

// The files that make accounts are found wherever the name stands in the path,
// and what is no account's is passed over.
func TestKeyFileNames(t *testing.T) {
	for pattern, want := range map[string][]string{
		"%u":              {"ada", "key-bob.pub", "home"},
		"key-%u.pub":      {"bob"},
		"home/%u/.ssh/ak": {"cem"},
		"nowhere/%u":      nil,
	} {
		dir := t.TempDir()
		for _, file := range []string{"ada", "key-bob.pub", ".hidden", "a b", "home/cem/.ssh/ak", "home/dan/.ssh/other"} {
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := put(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a, err := NewAccounts(Options{KeyFiles: filepath.Join(dir, pattern)})
		if err != nil {
			t.Fatal(err)
		}
		got := a.keyFileNames()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}

// Copies of key files, and those put out of use, make no accounts.
func TestOddKeyFiles(t *testing.T) {
	dir := t.TempDir()
	a, err := NewAccounts(Options{KeyFiles: filepath.Join(dir, "%u"), NotByFile: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"ada": true, "ada.b-c_d": true, "é1": true, "ada.pub": true,
		"ada.disabled": false, "ada.BAK": false, "ada.old": false, "ada.orig": false, "ada.save": false, ".ada.swp": false, "ada.swp": false,
		"ada~": false, "#ada#": false, ".ada": false, "ada.dpkg-old": false, "ada,v": false, "bob": false,
	} {
		if err := put(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := a.find(name).exists; got != want {
			t.Errorf("%s makes an account: %v", name, got)
		}
	}
}
