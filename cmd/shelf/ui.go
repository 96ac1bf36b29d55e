package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/term"
)

// ui is how we talk to who uses us: a person at a terminal, or a script.
type ui struct {
	streams
	json    bool // a line of JSON for each thing that happens, and no others
	quiet   bool // only what went wrong
	verbose bool // also how it is done

	interrupt func() // ends the command under way, as Ctrl-C does

	mu   sync.Mutex // guards bars
	bars io.Writer  // what prints above the bars, while there are any
}

// sayf tells a person what was done. Names in it must be printable already.
func (u *ui) sayf(format string, args ...any) {
	if !u.quiet && !u.json {
		u.line(u.out, format, args...)
	}
}

// detailf tells how it is done, to who wants to know.
func (u *ui) detailf(format string, args ...any) {
	if u.verbose {
		u.line(u.err, format, args...)
	}
}

// warnf tells what went wrong.
func (u *ui) warnf(format string, args ...any) { u.line(u.err, format, args...) }

func (u *ui) line(to io.Writer, format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bars != nil && terminalOf(to) != nil {
		to = u.bars
	}
	fmt.Fprintf(to, format+"\n", args...)
}

// event is what a script is told, as a line of JSON.
func (u *ui) event(v any) {
	if !u.json {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	io.WriteString(u.out, jsonLine(v))
}

// jsonLine escapes more than JSON demands: all that a terminal could act on.
func jsonLine(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf(`{"error":%q}`+"\n", err)
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default: // as two halves of UTF-16
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String() + "\n"
}

// note is an event about a name, or about none.
type note struct {
	Event string `json:"event"` // failed, removed, would put, watching, or error: the end of a command
	Name  string `json:"name,omitempty"`
	Error string `json:"error,omitempty"`
}

// canAsk tells whether there is a person at hand.
func (u *ui) canAsk() bool { return !u.json && term.IsTerminal(int(u.in.Fd())) }

// confirm asks a question of yes and no. Without a person at hand it is no: a
// script says --force. Ctrl-C is an answer to all questions of the command.
func (u *ui) confirm(ctx context.Context, question string) bool {
	if !u.canAsk() || ctx.Err() != nil {
		return false
	}
	answer, err := askLine(question + " (yes/no) ")
	if errors.Is(err, errInterrupted) {
		u.interrupt()
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "y" || answer == "yes")
}

// colour tells whether to use it: on a terminal, unless NO_COLOR says no
// (no-color.org).
func (u *ui) colour() bool {
	return terminalOf(u.out) != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
