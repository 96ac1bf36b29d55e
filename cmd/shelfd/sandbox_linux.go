package main

import (
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// restrict has Landlock allow this process to change some folders, add to files
// in others and read yet others, and nothing else: neither to execute, nor to
// bind, nor to connect. It counts for child processes too. strict fails where
// the kernel cannot do all of that; without strict, what it can do is enough.
//
// Publishing an upload moves it between folders, which needs version 2 of
// Landlock. On a kernel with version 1 nothing is restricted.
func restrict(written, appended, read []string, strict bool) error {
	const (
		adding  = ll.AccessFSWriteFile | ll.AccessFSMakeReg
		reading = ll.AccessFSReadFile | ll.AccessFSReadDir
		writing = reading | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveFile |
			ll.AccessFSMakeReg | ll.AccessFSRefer
	)
	config := landlock.V6.BestEffort()
	if strict {
		config = landlock.V4
	}
	return config.Restrict(
		landlock.PathAccess(writing, written...),
		landlock.PathAccess(adding, appended...),
		landlock.PathAccess(reading, read...).IgnoreIfMissing(),
	)
}
