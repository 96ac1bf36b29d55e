package main

import (
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// restrict has Landlock allow this process, and those it would start, to change
// some folders, add to files in others and read yet others, and nothing else: not
// to execute, and neither to bind nor to connect. Without strict, as much of it as the kernel knows.
//
// Publishing an upload moves it between folders, which takes the second version
// of Landlock: on a kernel with the first nothing is restricted.
func restrict(written, logged, read []string, strict bool) error {
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
		landlock.PathAccess(adding, logged...),
		landlock.PathAccess(reading, read...).IgnoreIfMissing(),
	)
}
