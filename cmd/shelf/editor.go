package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// editor reads lines at a terminal, which is raw only while it does. It is that
// of x/term, which is in use already, with Ctrl-C and Tab as people expect them.
type editor struct {
	*shell
	ctx      context.Context
	terminal *term.Terminal
	keys     *keys
	tabs     int  // how often Tab was pressed in a row, for one word
	unlisted bool // the server did not list for Tab, and is not asked again for this line
}

// keys is the terminal as the editor sees it.
type keys struct {
	io.Reader
	io.Writer
}

// Read makes Ctrl-C clear the line: from its end (Ctrl-E) back
// (Ctrl-U). The editor itself would take it for the end of input.
func (k *keys) Read(p []byte) (int, error) {
	const ctrlC, clear = "\x03", "\x05\x15" // Ctrl-E Ctrl-U
	n, err := k.Reader.Read(p[:max(len(p)/len(clear), 1)])
	if bytes.Contains(p[:n], []byte(ctrlC)) {
		n = copy(p, bytes.ReplaceAll(p[:n], []byte(ctrlC), []byte(clear)))
	}
	return n, err
}

func (s *shell) newEditor(ctx context.Context) *editor {
	k := &keys{Reader: s.in, Writer: s.out}
	e := &editor{shell: s, ctx: ctx, keys: k, terminal: term.NewTerminal(k, "shelf> ")}
	e.terminal.AutoCompleteCallback = e.key
	e.terminal.History = openHistory(s.remote.to)
	return e
}

// readLine reads a line; io.EOF is Ctrl-D.
func (e *editor) readLine() (string, error) {
	fd := int(e.in.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	if width, height, err := term.GetSize(fd); err == nil && width > 0 { // some have none
		e.terminal.SetSize(width, height)
	}
	e.unlisted = false
	line, err := e.typed()
	if err == io.EOF {
		io.WriteString(e.keys, "\r\n") // the terminal would draw the prompt once more
	}
	term.Restore(fd, state)
	if err == term.ErrPasteIndicator {
		err = nil
	}
	return line, err
}

// typed waits for a line, but also for what ends us: the terminal must not stay
// raw.
func (e *editor) typed() (string, error) {
	ctx, stop := signal.NotifyContext(e.ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	line, err := orDone(ctx, e.terminal.ReadLine)
	if ctx.Err() != nil {
		return "", &exitError{exitSome, errors.New("told to end")}
	}
	return line, err
}

// key is asked about each key that is no editing key.
func (e *editor) key(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		e.tabs = 0
		return "", 0, false
	}
	e.tabs++
	c := e.complete(line[:pos])
	if added := c.common(); added != "" {
		if len(c.words) == 1 {
			e.tabs = 0
		}
		return line[:c.from] + added + line[pos:], c.from + len(added), true
	}
	if e.tabs > 1 && len(c.words) > 0 {
		fmt.Fprintf(e.terminal, "%s\n", strings.Join(columns(c.words), "\n"))
	}
	return line, pos, true
}

// columns are words side by side, as many as are worth showing.
func columns(words []string) (lines []string) {
	const most, wide, width = 60, 24, 76
	more := len(words) - most
	if more > 0 {
		words = words[:most]
	}
	line := ""
	for _, w := range words {
		cell := fmt.Sprintf("%-*s  ", wide, printable(w))
		if line != "" && len(line)+len(cell) > width {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
		line += cell
	}
	lines = append(lines, strings.TrimRight(line, " "))
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

// listForTab lists, but keeps nobody waiting at the keyboard for long.
func (e *editor) listForTab() []entry {
	const patience = 5 * time.Second
	ctx, stop := context.WithTimeout(e.ctx, patience)
	defer stop()
	files, err := e.files(ctx)
	e.unlisted = err != nil
	return files
}
