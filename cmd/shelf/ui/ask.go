package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// ErrNoTerminal means that there is nobody to ask.
var ErrNoTerminal = errors.New("there is no terminal to ask at")

// ErrInterrupted means that the person pressed Ctrl-C. For errors.Is it is
// [context.Canceled], so that other packages need not know it.
var ErrInterrupted error = interrupted{}

type interrupted struct{}

func (interrupted) Error() string        { return "interrupted" }
func (interrupted) Is(target error) bool { return target == context.Canceled }

// AskSecret asks a question whose answer must not be seen. As with [UI.AskLine]
// arguments are made printable.
func (u *UI) AskSecret(format string, args ...any) (string, error) {
	return ask(fmt.Sprintf(format, safe(args)...), (*term.Terminal).ReadPassword)
}

// AskLine asks for a line.
func (u *UI) AskLine(format string, args ...any) (string, error) {
	return ask(fmt.Sprintf(format, safe(args)...), func(t *term.Terminal, prompt string) (string, error) {
		t.SetPrompt(prompt)
		return t.ReadLine()
	})
}

// ask asks the person at the terminal. The terminal is raw meanwhile: Ctrl-C is
// a key then, and no signal that would leave the terminal raw.
func ask(question string, read func(*term.Terminal, string) (string, error)) (string, error) {
	tty, err := openTerminal()
	if err != nil {
		return "", ErrNoTerminal
	}
	defer tty.Close()
	state, err := term.MakeRaw(tty.fd())
	if err != nil {
		return "", ErrNoTerminal
	}
	defer term.Restore(tty.fd(), state)
	t := term.NewTerminal(tty, "")
	lines := strings.SplitAfter(question, "\n")
	fmt.Fprint(t, strings.Join(lines[:len(lines)-1], ""))
	answer, err := read(t, lines[len(lines)-1])
	if errors.Is(err, io.EOF) {
		fmt.Fprint(t, "\n")
		return "", ErrInterrupted
	}
	return answer, err
}

// Person tells whether there is somebody to ask. A script counts as nobody, even
// if it was started from a terminal: its commands do not come from there.
func (u *UI) Person() bool {
	if !u.Interactive() {
		return false
	}
	tty, err := openTerminal()
	if err != nil {
		return false
	}
	return tty.Close() == nil
}

// CanAsk tells whether a command may ask a question.
func (u *UI) CanAsk() bool { return !u.JSON && u.Interactive() }

// Confirm asks a question to answer with yes or no. If there is nobody to ask the
// answer is no; a script passes --force instead. Ctrl-C answers all questions of
// the command.
func (u *UI) Confirm(ctx context.Context, format string, args ...any) bool {
	if !u.CanAsk() || ctx.Err() != nil {
		return false
	}
	answer, err := u.AskLine(format+" (yes/no) ", args...)
	if errors.Is(err, ErrInterrupted) {
		u.Interrupt()
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "y" || answer == "yes")
}
