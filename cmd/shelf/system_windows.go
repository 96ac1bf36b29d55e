package main

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// terminal is that of the person, whatever stdin is.
type terminal struct{ in, out *os.File }

func openTerminal() (terminal, error) {
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return terminal{}, err
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		in.Close()
	}
	return terminal{in, out}, err
}

func (t terminal) fd() int                     { return int(t.in.Fd()) }
func (t terminal) Read(p []byte) (int, error)  { return t.in.Read(p) }
func (t terminal) Write(p []byte) (int, error) { return t.out.Write(p) }
func (t terminal) Close() error                { return errors.Join(t.in.Close(), t.out.Close()) }

// Flags of open(2), where there are such: not to follow a link, and not to wait
// for the other end of a FIFO.
const openNoLink, openNoWait = 0, 0

// lock makes this process the only one that has the file locked, until it is
// closed.
func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}
