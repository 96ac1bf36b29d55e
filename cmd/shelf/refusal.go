package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// hear is the ssh.BannerCallback: it shows what a server says before it lets us
// in, up to a length. What it says after we have shown something is its reason.
func (a *auth) hear(text string) error {
	const most = 16 << 10 // bytes
	if a.banner += len(text) + 1; a.banner > most {
		return errors.New("its banner has no end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		a.warnf("%s", printable(line))
		if a.begun && line != "" {
			a.said = line
		}
	}
	return nil
}

// explain tells a refusal from what else can end a login. x/crypto has no errors
// of its own for it on the client's side, nor shows the one of a server that
// hangs up.
func (a *auth) explain(err error) error {
	for _, refused := range []string{"unable to authenticate", "too many authentication attempts",
		"unexpected message type 51", "public key signature algorithm"} {
		if strings.Contains(err.Error(), refused) {
			return a.refusal("")
		}
	}
	if errors.Is(err, errLocked) {
		return a.refusal("")
	}
	// RFC 4253, section 11.1. OpenSSH means too many failures by the first.
	const protocolError, noMoreMethods = 2, 14
	if reason, words := hungUp(err); reason == protocolError || reason == noMoreMethods {
		return a.refusal(words)
	}
	return err
}

func hungUp(err error) (reason int, words string) {
	_, text, _ := strings.Cut(err.Error(), "ssh: disconnect, reason ")
	fmt.Sscanf(text, "%d: %q", &reason, &words)
	return reason, words
}

// refusal says why the server does not let us in, and what may help.
func (a *auth) refusal(words string) error {
	text := fmt.Sprintf("%s does not let %s in", a.to.addr, printable(a.to.user))
	if words = firstOf(words, a.said); words != "" {
		const most = 200 // characters
		text += ": " + fmt.Sprintf("%.*s", most, printable(words))
	}
	for _, u := range a.unused {
		text += "; " + u
	}
	switch keys := slices.Contains(a.takes, "publickey"); {
	case keys && len(a.keys) == 0:
		text += "; -i names a key"
	case keys:
		text += "; -i names another key"
	}
	if !a.person() && (slices.Contains(a.takes, "password") || slices.Contains(a.takes, "keyboard-interactive")) {
		text += "; it takes a password, but " + errNoTerminal.Error()
	}
	return &exitError{exitRefused, errors.New(text)}
}
