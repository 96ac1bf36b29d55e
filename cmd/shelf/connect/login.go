package connect

import (
	"errors"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// auth is one login: first keys, then what a person can be asked.
type auth struct {
	*person
	to     target
	agent  net.Conn      // to ssh-agent; nil if there is none
	keys   []ssh.Signer  // the keys that are offered
	unused []string      // files of keys that are not offered, and why
	locked ssh.PublicKey // the last key, if it was not unlocked
	asked  int           // how often the server has asked questions
	before []string      // its questions so far

	takes  []string // the methods that the server accepts
	failed []string // the methods that have failed
	banner int      // bytes of text that the server has sent, and of our marks
	begun  bool     // a first key or answer was sent
	said   string   // the last line that the server sent after that
}

func newAuth(who *person, to target) *auth {
	return &auth{person: who, to: to, agent: dialAgent()}
}

func (a *auth) close() {
	if a.agent != nil {
		a.agent.Close()
	}
}

func (a *auth) methods() []ssh.AuthMethod {
	m := []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return a.signers(), nil })}
	if a.Person() {
		m = append(m, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(a.answer), 3),
			ssh.RetryableAuthMethod(ssh.PasswordCallback(a.password), 3))
	}
	return m
}

// next is the ssh.ClientAuthCallback. After a key that cannot sign x/crypto tries no
// further key; next makes it go on with the rest.
func (a *auth) next(now *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.takes, a.failed = now.AllowedMethods, now.TriedMethods
	if rest := a.afterLocked(); len(rest) > 0 && a.stopped == nil {
		return ssh.PublicKeys(rest...), nil
	}
	return nil, a.stopped
}

func (a *auth) password() (string, error) {
	const question = "password of %s: "
	a.again(question)
	return a.ask(true, question, a.to)
}

// again says that the last answer was wrong, if the server asks the same again, or
// asks after the method has failed.
func (a *auth) again(question string) {
	a.begun = true
	if slices.Contains(a.before, question) || len(a.before) > 0 && slices.Contains(a.failed, "keyboard-interactive") {
		a.Warnf("shelf: that was wrong; try again")
	}
	a.before = append(a.before, question)
}

// answer asks a person what the server wants to know (RFC 4256). Each line starts
// with the name of the server, since a server on the way could pretend to be
// another one.
func (a *auth) answer(name, instruction string, questions []string, echos []bool) ([]string, error) {
	const most = 16 // questions at a time, and times
	if a.asked++; len(questions) > most || a.asked > most {
		return nil, errors.New("the server asks too many questions")
	}
	for _, line := range []string{name, instruction} {
		if line != "" {
			a.Warnf("(%s) %s", a.to, line)
		}
	}
	if len(questions) > 0 {
		a.again(strings.Join(questions, "\n"))
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		var err error
		if answers[i], err = a.ask(!echos[i], "(%s) %s", a.to, q); err != nil {
			return nil, err
		}
	}
	return answers, nil
}
