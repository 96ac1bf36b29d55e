package confine

import (
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Files uses Landlock to allow this process to change some folders, write in
// others, and read or list yet others, and nothing else: neither to execute, nor
// to bind, nor to connect but to some ports. It counts for child processes too. strict fails where
// the kernel cannot do all of that; without strict, what it can do is enough.
//
// Publishing an upload moves it between folders, which needs version 2 of
// Landlock. On a kernel with version 1 nothing is restricted.
func Files(r Reach, strict bool) error {
	const (
		// A torn line is cut back. Who may overwrite a file may as well cut it.
		appending = ll.AccessFSWriteFile | ll.AccessFSMakeReg | ll.AccessFSTruncate
		rotating  = appending | ll.AccessFSRemoveFile
		listing   = ll.AccessFSReadDir
		reading   = ll.AccessFSReadFile | listing
		writing   = reading | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveFile |
			ll.AccessFSMakeReg | ll.AccessFSRefer
	)
	config := landlock.V6.BestEffort()
	if strict {
		config = landlock.V4
	}
	rules := []landlock.Rule{
		landlock.PathAccess(writing, r.Changed...),
		landlock.PathAccess(writing|ll.AccessFSMakeDir|ll.AccessFSRemoveDir, r.Made...).IgnoreIfMissing(),
		landlock.PathAccess(appending, r.Appended...),
		landlock.PathAccess(rotating, r.Rotated...),
		landlock.PathAccess(reading, r.Read...).IgnoreIfMissing(),
		landlock.PathAccess(listing, r.Listed...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile, r.Files...).IgnoreIfMissing(),
	}
	for _, port := range r.Ports {
		rules = append(rules, landlock.ConnectTCP(port))
	}
	return config.Restrict(rules...)
}
