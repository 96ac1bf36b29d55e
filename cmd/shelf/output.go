package main

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// output remembers that something could not be written, so that a script is not
// told that all is well when it got only a part.
type output struct {
	io.Writer
	mu  sync.Mutex // guards err
	err error      // the first
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
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

// failure is why not all was written, or nil.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return reason(o.err)
}

// terminalOf is the terminal that a writer writes to, or nil.
func terminalOf(w io.Writer) *os.File {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
