package main

import (
	"testing"
	"time"
)

// A commit after a tag is newer than the tag, and older than the next commit and
// the next tag: for dpkg, rpm and apk alike.
func TestVersionNames(t *testing.T) {
	at := time.Date(2026, time.November, 26, 9, 22, 0, 0, time.UTC)
	for describe, want := range map[string][2]string{
		"v1.2.0-0-g0ad8bba4cafe":       {"1.2.0", "1.2.0"},
		"v1.2.0-5-g0ad8bba4cafe":       {"1.2.0+git20261126092200.0ad8bba4cafe", "1.2.0_git20261126092200"},
		"v1.2.0-0-g0ad8bba4cafe-dirty": {"1.2.0+git20261126092200.0ad8bba4cafe.dirty", "1.2.0_git20261126092200"},
		"0ad8bba4cafe":                 {"0.0.0+git20261126092200.0ad8bba4cafe", "0.0.0_git20261126092200"},
	} {
		name, apk, err := nameOf(describe, at)
		if err != nil || [2]string{name, apk} != want {
			t.Errorf("%s is called %s and %s (%v)", describe, name, apk, err)
		}
	}
	if _, _, err := nameOf("stable-3-g0ad8bba", at); err == nil {
		t.Error("a tag that is no version was taken for one")
	}
}
