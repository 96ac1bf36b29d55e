package main

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// auth is how to log in: keys, then what a person can be asked.
type auth struct {
	*ui
	to    target
	pause func() (resume func()) // stops the clock while a person is asked
	asked int                    // how often the server has asked
}

func (a *auth) methods() []ssh.AuthMethod {
	m := []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return a.signers(), nil })}
	if haveTerminal() {
		m = append(m, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(a.answer), 3),
			ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
				return a.secret(fmt.Sprintf("password of %s: ", printable(a.to.String())))
			}), 3))
	}
	return m
}

func (a *auth) secret(question string) (string, error) {
	defer a.pause()()
	return askSecret(question)
}

// answer asks a person what the server wants to know (RFC 4256).
func (a *auth) answer(name, instruction string, questions []string, echos []bool) ([]string, error) {
	defer a.pause()()
	const most = 16 // of what a server can ask at a time, and of times
	if a.asked++; len(questions) > most || a.asked > most {
		return nil, errors.New("the server asks without end")
	}
	for _, line := range []string{name, instruction} {
		if line != "" {
			a.warnf("%s", printable(line))
		}
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		ask := askSecret
		if echos[i] {
			ask = askLine
		}
		var err error
		if answers[i], err = ask(printable(q)); err != nil {
			return nil, err
		}
	}
	return answers, nil
}
