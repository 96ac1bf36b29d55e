package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/term"
)

// auth is how to log in: keys, then what a person can be asked.
type auth struct {
	identities []string
	to         destination
	err        io.Writer
}

func newAuth(o options, to destination, err io.Writer) *auth {
	return &auth{o.identities, to, err}
}

func (a *auth) methods() []ssh.AuthMethod {
	m := []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return a.signers(), nil })}
	if tty, err := openTerminal(); err == nil {
		tty.Close()
		m = append(m, ssh.KeyboardInteractive(a.answer),
			ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
				return askSecret(fmt.Sprintf("password of %s: ", a.to))
			}), 3))
	}
	return m
}

// signers are the keys to try: those that were named, the agent's, and the
// usual ones if none was named.
func (a *auth) signers() (all []ssh.Signer) {
	for _, file := range a.identities {
		if key, err := readKey(file, true); err == nil {
			all = append(all, key)
		} else {
			fmt.Fprintf(a.err, "shelf: the key %s is not used: %v\n", file, err)
		}
	}
	all = append(all, agentKeys()...)
	if len(a.identities) > 0 {
		return all
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return all
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		// A passphrase is only asked for where there is nothing else to try.
		if key, err := readKey(filepath.Join(home, ".ssh", name), len(all) == 0); err == nil {
			all = append(all, key)
		}
	}
	return all
}

// agentKeys are the keys that ssh-agent holds, if it runs.
func agentKeys() []ssh.Signer {
	c, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return nil
	}
	keys, err := agent.NewClient(c).Signers()
	if err != nil {
		return nil
	}
	return keys
}

// readKey reads a private key and, if ask is set, asks for its passphrase.
func readKey(file string, ask bool) (ssh.Signer, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if locked := (*ssh.PassphraseMissingError)(nil); !errors.As(err, &locked) || !ask {
		return key, err
	}
	secret, err := askSecret("passphrase of " + file + ": ")
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKeyWithPassphrase(pem, []byte(secret))
}

// answer asks a person what the server wants to know (RFC 4256).
func (a *auth) answer(name, instruction string, questions []string, echos []bool) ([]string, error) {
	for _, line := range []string{name, instruction} {
		if line != "" {
			fmt.Fprintln(a.err, printable(line))
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

// openTerminal opens the terminal of the person, whatever stdin is.
func openTerminal() (*os.File, error) { return os.OpenFile(terminalFile, os.O_RDWR, 0) }

func askSecret(prompt string) (string, error) {
	tty, err := openTerminal()
	if err != nil {
		return "", errors.New("there is no terminal to ask at")
	}
	defer tty.Close()
	fmt.Fprint(tty, prompt)
	b, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(tty)
	return string(b), err
}

func askLine(prompt string) (string, error) {
	tty, err := openTerminal()
	if err != nil {
		return "", errors.New("there is no terminal to ask at")
	}
	defer tty.Close()
	fmt.Fprint(tty, prompt)
	return readLine(tty)
}

// readLine reads no further than the end of the line.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < 1024; {
		if _, err := io.ReadFull(r, one); err != nil {
			return string(line), err
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	return string(line), nil
}
