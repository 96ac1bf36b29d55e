package ui

import (
	"errors"
	"os"
)

// terminal is the terminal of the person, whatever stdin is.
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
