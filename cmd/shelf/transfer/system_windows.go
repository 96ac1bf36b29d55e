package transfer

import (
	"os"

	"golang.org/x/sys/windows"
)

// Windows has no such flags of open.
const openNoLink, openNoWait = 0, 0

// lock locks a file for this process alone, until the file is closed.
func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}
