package connect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// hear is the ssh.BannerCallback. It prints what a server says before the login, up
// to a length, and marks each line as the server's: it could look like one of ours.
// What it says after a first key or answer is its reason for a refusal.
func (a *auth) hear(text string) error {
	const most = 16 << 10 // bytes
	a.banner++            // those without a line count as well
	for line := range strings.Lines(text) {
		if a.banner += len(line) + len(a.to.String()); a.banner > most {
			return errors.New("its banner is too long")
		}
		line = strings.TrimRight(line, "\r\n")
		a.Warnf("(%s) %s", a.to, line)
		if a.begun && line != "" {
			a.said = line
		}
	}
	return nil
}

// explain tells a refusal from other errors. x/crypto has no error values for a
// refusal on the client's side, nor for a server that disconnects, so the texts of
// the errors must do.
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
	// RFC 4253, section 11.1. OpenSSH sends the first after too many failures.
	const protocolError, noMoreMethods = 2, 14
	if reason, words := hungUp(err); reason == protocolError || reason == noMoreMethods {
		return a.refusal(words)
	}
	return err
}

// hungUp reads the reason of a server that disconnected.
func hungUp(err error) (reason int, words string) {
	_, text, _ := strings.Cut(err.Error(), "ssh: disconnect, reason ")
	fmt.Sscanf(text, "%d: %q", &reason, &words)
	return reason, words
}

// refusal says why the server does not let the person in, and what may help. If the
// server says why, a password that it would also accept is not mentioned: it may
// offer passwords to everybody.
func (a *auth) refusal(words string) error {
	text := fmt.Sprintf("%s does not let %s in", a.to.addr, a.to.user)
	words = cmp.Or(words, a.said)
	if words != "" {
		const most = 200 // characters
		text += ": " + strings.TrimRight(fmt.Sprintf("%.*s", most, words), ".")
	}
	hints := a.unused
	switch keys := slices.Contains(a.takes, "publickey"); {
	case keys && len(a.keys) == 0:
		hints = append(hints, "give a key with -i FILE")
	case keys:
		hints = append(hints, "try another key with -i FILE")
	}
	if asks := slices.Contains(a.takes, "password") || slices.Contains(a.takes, "keyboard-interactive"); asks && words == "" && !a.Person() {
		hints = append(hints, "it accepts a password, but "+errNobody.Error())
	}
	return &Error{Refused, errors.New(strings.Join(append([]string{text}, hints...), "; "))}
}
