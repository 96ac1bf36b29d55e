package ui

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/term"
)

// Output remembers that something could not be written, so that the program does
// not report success to a script that got only a part.
type Output struct {
	io.Writer
	mu  sync.Mutex // guards err
	err error      // the first
}

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// Failure is why something was not written, or nil.
func (o *Output) Failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := (*fs.PathError)(nil); errors.As(o.err, &e) {
		return e.Err // without the path
	}
	return o.err
}

// terminalOf is the terminal that a writer writes to, or nil.
func terminalOf(w io.Writer) *os.File {
	if o, ok := w.(*Output); ok {
		w = o.Writer
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
