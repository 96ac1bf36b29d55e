package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// errNoTerminal is a question that there is nobody to answer.
var errNoTerminal = errors.New("stdin is no terminal to ask at")

// askSecret asks for what must not be seen.
func askSecret(question string) (string, error) {
	return ask(question, (*term.Terminal).ReadPassword)
}

// askLine asks for a line.
func askLine(question string) (string, error) {
	return ask(question, func(t *term.Terminal, prompt string) (string, error) {
		t.SetPrompt(prompt)
		return t.ReadLine()
	})
}

// ask asks the person at the terminal. It is raw meanwhile, so Ctrl-C is a key,
// and no signal that would leave it as it is.
func ask(question string, read func(*term.Terminal, string) (string, error)) (string, error) {
	tty, err := openTerminal()
	if err != nil {
		return "", errNoTerminal
	}
	defer tty.Close()
	state, err := term.MakeRaw(tty.fd())
	if err != nil {
		return "", errNoTerminal
	}
	defer term.Restore(tty.fd(), state)
	t := term.NewTerminal(tty, "")
	lines := strings.SplitAfter(question, "\n")
	fmt.Fprint(t, strings.Join(lines[:len(lines)-1], ""))
	answer, err := read(t, lines[len(lines)-1])
	if errors.Is(err, io.EOF) {
		fmt.Fprint(t, "\n")
		return "", errInterrupted
	}
	return answer, err
}

// person tells whether there is somebody to ask. A script is nobody, wherever it
// was started: its commands do not come from a terminal.
func (u *ui) person() bool {
	if !term.IsTerminal(int(u.in.Fd())) {
		return false
	}
	tty, err := openTerminal()
	if err != nil {
		return false
	}
	return tty.Close() == nil
}
