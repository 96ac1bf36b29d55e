// Package vfstest holds what a store needs to show that it is a vfs.Library:
// the conformance suite, and two libraries for tests of what stands on one.
//
//	vfstest.go  Test, the suite; it runs on every store, and with decorators around
//	suite.go    what its parts do again and again
//	names.go    a part of it: names, and what is listed, renamed and removed
//	uploads.go  a part: what an upload starts from, is before CLOSE, and becomes
//	describe.go a part: attributes, digests, versions, space
//	partials.go a part: what is kept of uploads that were cut
//	races.go    a part: what happens at once, and calls that are cancelled
//	check.go    a part: what judges content
//	history.go  a part: old versions, and those of Memory
//	quota.go    TestQuota, for stores with limits
//	memory.go   Memory, a library that is simple enough to be believed; draft.go: its uploads
//	put.go      what tests begin with: a file that is published, or lies on the disk
//	faulty.go   Faulty, a decorator that fails when it is told to
package vfstest

import (
	"testing"

	"shelf/vfs"
)

// Test runs the suite on a Library, and again with a decorator around it: what
// it can do beyond the contract must be found through that. open makes an empty
// Library for each part.
func Test(t *testing.T, open func(t *testing.T) vfs.Library) {
	t.Run("plain", func(t *testing.T) { test(t, open) })
	t.Run("decorated", func(t *testing.T) {
		test(t, func(t *testing.T) vfs.Library { return NewFaulty(NewFaulty(open(t))) })
	})
}

func test(t *testing.T, open func(t *testing.T) vfs.Library) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, suite)
	}{
		{"Open flags", testFlags},
		{"Names", testNames},
		{"List", testList},
		{"Replace while reading", testReplaceWhileReading},
		{"Overlay", testOverlay},
		{"Truncate", testTruncate},
		{"Abort", testAbort},
		{"Attributes", testAttributes},
		{"Exclusive", testExclusive},
		{"Last commit wins", testLastCommitWins},
		{"Drafts", testDraft},
		{"Rename", testRename},
		{"Rename an upload", testRenameUpload},
		{"Remove", testRemove},
		{"Digest", testDigest},
		{"Limits", testLimits},
		{"Versions", testVersions},
		{"Replaced", testReplaced},
		{"Partials", testPartials},
		{"Partials are private", testPartialsArePrivate},
		{"Check", testCheck},
		{"Space", testSpace},
		{"History", testHistory},
		{"Expiry", testExpiry},
		{"Cancelled", testCancelled},
		{"Races", testRaces},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, suite{t, open(t)}) })
	}
}
