package main

import (
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// restrict has Landlock allow this process, and those it would start, to change
// some folders and read others, and nothing else: not to execute, and neither to
// bind nor to connect. Without strict, as much of it as the kernel knows.
//
// Publishing an upload moves it between folders, which takes the second version
// of Landlock: on a kernel with the first nothing is restricted.
func restrict(written, read []string, strict bool) error {
	const (
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
		landlock.PathAccess(reading, read...).IgnoreIfMissing(),
	)
}
