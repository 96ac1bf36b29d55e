//go:build unix

package ui

import "os"

// terminal is the terminal of the person, whatever stdin is.
type terminal struct{ *os.File }

func openTerminal() (terminal, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return terminal{f}, err
}

func (t terminal) fd() int { return int(t.Fd()) }
