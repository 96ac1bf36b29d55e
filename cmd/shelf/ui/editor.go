package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// ErrTerminated means that a signal told the program to end.
var ErrTerminated = errors.New("terminated by a signal")

// Editor reads lines at a terminal, which is raw only while it reads. It is the
// editor of x/term, with Ctrl-C and Tab as people expect them.
type Editor struct {
	ui       *UI
	complete func(line string) Completion
	terminal *term.Terminal
	keys     *keys
	tabs     int // how often Tab was pressed in a row, for one word
}

// keys is the terminal as the editor sees it.
type keys struct {
	io.Reader
	io.Writer
}

// Read makes Ctrl-C clear the line: it becomes Ctrl-E (to the end of the line)
// and Ctrl-U (delete to the start). The editor of x/term would take Ctrl-C for
// the end of the input.
func (k *keys) Read(p []byte) (int, error) {
	const ctrlC, clear = "\x03", "\x05\x15" // Ctrl-E Ctrl-U
	n, err := k.Reader.Read(p[:max(len(p)/len(clear), 1)])
	if bytes.Contains(p[:n], []byte(ctrlC)) {
		n = copy(p, bytes.ReplaceAll(p[:n], []byte(ctrlC), []byte(clear)))
	}
	return n, err
}

// NewEditor makes an editor. complete tells what Tab may make of the line before
// the cursor.
func (u *UI) NewEditor(prompt string, history term.History, complete func(line string) Completion) *Editor {
	k := &keys{Reader: u.In, Writer: u.Out}
	e := &Editor{ui: u, complete: complete, keys: k, terminal: term.NewTerminal(k, prompt)}
	e.terminal.AutoCompleteCallback = e.key
	e.terminal.History = history
	return e
}

// ReadLine reads a line; io.EOF means Ctrl-D.
func (e *Editor) ReadLine(ctx context.Context) (string, error) {
	fd := int(e.ui.In.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	if width, height, err := term.GetSize(fd); err == nil && width > 0 { // some terminals have no size
		e.terminal.SetSize(width, height)
	}
	line, err := e.typed(ctx)
	if err == io.EOF {
		io.WriteString(e.keys, "\r\n") // the terminal would draw the prompt once more
	}
	term.Restore(fd, state)
	if err == term.ErrPasteIndicator {
		err = nil
	}
	return line, err
}

// typed waits for a line, and also for a signal that ends the program: the
// terminal must not stay raw.
func (e *Editor) typed(ctx context.Context) (string, error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := e.terminal.ReadLine()
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ErrTerminated
	}
}

// key is called for each key that does not edit the line.
func (e *Editor) key(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		e.tabs = 0
		return "", 0, false
	}
	e.tabs++
	c := e.complete(line[:pos])
	if added := c.common(); added != "" {
		if len(c.Words) == 1 {
			e.tabs = 0
		}
		return line[:c.From] + added + line[pos:], c.From + len(added), true
	}
	if e.tabs > 1 && len(c.Words) > 0 {
		fmt.Fprintf(e.terminal, "%s\n", strings.Join(columns(c.Words), "\n"))
	}
	return line, pos, true
}

// columns puts words side by side, as many as are worth showing.
func columns(words []string) (lines []string) {
	const most, wide, width = 60, 24, 76
	more := len(words) - most
	if more > 0 {
		words = words[:most]
	}
	line := ""
	for _, w := range words {
		cell := fmt.Sprintf("%-*s  ", wide, Printable(w))
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
