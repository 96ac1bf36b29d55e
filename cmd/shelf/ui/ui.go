// Package ui is what people and scripts read and type: lines, JSON events,
// progress bars, questions and the line editor of the prompt.
//
//	ui.go        lines for people: what was done, what went wrong, details
//	event.go     JSON lines for scripts
//	print.go     text made safe for a terminal; sizes and counts
//	output.go    remembers whether all output could be written
//	ask.go       questions to the person at the terminal
//	terminal_*.go  how to open that terminal, on each system
//	bars.go      progress bars
//	editor.go    the line editor of the prompt
//	history.go   the lines typed before, in a file for each server
//	complete.go  what Tab makes of a line
//	words.go     the word at the end of a line, and quoting; local paths
//
// What comes from a server or from a file name is escaped here, where it is
// printed, and nowhere else: every argument of Sayf, Warnf, Notef, Detailf and
// of the questions goes through [Printable]. It imports no other package of the
// client.
package ui

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// UI talks to the user of the program: a person at a terminal, or a script.
type UI struct {
	In       *os.File
	Out, Err io.Writer

	JSON    bool // scripts read Out: JSON lines, and nothing for people
	Quiet   bool // print errors only
	Verbose bool // print details, too

	Interrupt func() // ends the running command, as Ctrl-C does

	mu    sync.Mutex // guards above, and keeps lines whole
	above io.Writer  // prints above the progress bars while they are shown
}

// Sayf tells a person what was done.
func (u *UI) Sayf(format string, args ...any) {
	if !u.Quiet && !u.JSON {
		u.line(u.Out, format, args...)
	}
}

// Notef tells a person something about the work, which is not its result.
func (u *UI) Notef(format string, args ...any) {
	if !u.Quiet && !u.JSON {
		u.line(u.Err, format, args...)
	}
}

// Detailf tells how something is done, if the user asked for details.
func (u *UI) Detailf(format string, args ...any) {
	if u.Verbose {
		u.line(u.Err, format, args...)
	}
}

// Warnf tells what went wrong.
func (u *UI) Warnf(format string, args ...any) { u.line(u.Err, format, args...) }

func (u *UI) line(to io.Writer, format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.above != nil && terminalOf(to) != nil {
		to = u.above
	}
	fmt.Fprintf(to, format+"\n", safe(args)...)
}

// Text prints a text of the program itself, which may have several lines.
func (u *UI) Text(text string) {
	if !u.Quiet && !u.JSON {
		io.WriteString(u.Out, text)
	}
}

// Size is a number of bytes for people.
func (u *UI) Size(bytes int64) string { return Size(bytes) }

// Interactive tells whether commands come from a terminal.
func (u *UI) Interactive() bool { return term.IsTerminal(int(u.In.Fd())) }

// OutIsTerminal tells whether the output is shown on a terminal.
func (u *UI) OutIsTerminal() bool { return terminalOf(u.Out) != nil }

// Colour tells whether to use colours: on a terminal, unless NO_COLOR is set
// (no-color.org).
func (u *UI) Colour() bool {
	return terminalOf(u.Out) != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
