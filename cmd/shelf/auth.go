package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// auth is one login: keys, then what a person can be asked.
type auth struct {
	*ui
	to      target
	pause   func() (resume func()) // stops the clock while a person is asked
	agent   net.Conn               // to ssh-agent; nil if there is none
	keys    []ssh.Signer           // what is shown
	unused  []string               // files of keys that are not, and why
	locked  ssh.PublicKey          // the key that has just not been unlocked
	asked   int                    // how often the server has asked
	before  []string               // what it asked
	stopped error                  // the person wants no more

	takes  []string // what the server lets people in with
	failed []string // what has not done it
	banner int      // bytes of it
	begun  bool     // we have shown something
	said   string   // by the server, since
}

func newAuth(u *ui, to target, pause func() (resume func())) *auth {
	return &auth{ui: u, to: to, pause: pause, agent: dialAgent()}
}

func (a *auth) close() {
	if a.agent != nil {
		a.agent.Close()
	}
}

func (a *auth) methods() []ssh.AuthMethod {
	m := []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return a.signers(), nil })}
	if a.person() {
		m = append(m, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(a.answer), 3),
			ssh.RetryableAuthMethod(ssh.PasswordCallback(a.password), 3))
	}
	return m
}

// next is the ssh.ClientAuthCallback. For x/crypto a key that cannot sign is the
// end of all keys; for us the next one follows.
func (a *auth) next(now *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.takes, a.failed = now.AllowedMethods, now.TriedMethods
	if rest := a.afterLocked(); len(rest) > 0 && a.stopped == nil {
		return ssh.PublicKeys(rest...), nil
	}
	return nil, a.stopped
}

func (a *auth) secret(question string) (string, error) {
	defer a.pause()()
	answer, err := askSecret(question)
	return answer, a.stop(err)
}

func (a *auth) stop(err error) error {
	if errors.Is(err, errInterrupted) {
		a.stopped = err
	}
	return err
}

func (a *auth) password() (string, error) {
	question := fmt.Sprintf("password of %s: ", printable(a.to.String()))
	a.again(question)
	return a.secret(question)
}

// again says that the last answer was wrong if a question comes back, or another
// after all answers to it have failed.
func (a *auth) again(question string) {
	a.begun = true
	if slices.Contains(a.before, question) || len(a.before) > 0 && slices.Contains(a.failed, "keyboard-interactive") {
		a.warnf("shelf: that was not right; try again")
	}
	a.before = append(a.before, question)
}

// answer asks a person what the server wants to know (RFC 4256). Who asks stands
// before each line, or a host on the way could pretend to be another.
func (a *auth) answer(name, instruction string, questions []string, echos []bool) ([]string, error) {
	defer a.pause()()
	const most = 16 // of what a server can ask at a time, and of times
	if a.asked++; len(questions) > most || a.asked > most {
		return nil, errors.New("the server asks without end")
	}
	for _, line := range []string{name, instruction} {
		if line != "" {
			a.warnf("%s%s", a.who(), printable(line))
		}
	}
	if len(questions) > 0 {
		a.again(strings.Join(questions, "\n"))
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		ask := askSecret
		if echos[i] {
			ask = askLine
		}
		var err error
		if answers[i], err = ask(a.who() + printable(q)); err != nil {
			return nil, a.stop(err)
		}
	}
	return answers, nil
}

// who is put before what a server says.
func (a *auth) who() string { return "(" + printable(a.to.String()) + ") " }
