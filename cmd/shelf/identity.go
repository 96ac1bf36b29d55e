package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// signers are the keys to try: those that were named, the agent's, and the
// usual ones if none was named; and before each the certificates made for it.
func (a *auth) signers() []ssh.Signer {
	a.begun = true
	held := a.heldKeys()
	for _, file := range a.identities() {
		key, err := a.readKey(file, held)
		switch {
		case err == nil:
			a.add(a.withCertificates(file, key))
		case len(a.to.identities) > 0:
			a.warnf("shelf: the key %s is not used: %v", file, reason(err))
		case !errors.Is(err, fs.ErrNotExist):
			a.unused = append(a.unused, fmt.Sprintf("the key %s is not used: %v", file, reason(err)))
		}
	}
	if !a.to.identitiesOnly {
		for _, key := range held {
			a.add(a.withCertificates("", key))
		}
	}
	return a.keys
}

// add leaves out what is there: servers count what is shown to them, and the
// agent often has what the files have.
func (a *auth) add(keys []ssh.Signer) {
	for _, k := range keys {
		if !slices.ContainsFunc(a.keys, func(other ssh.Signer) bool { return sameKey(other.PublicKey(), k.PublicKey()) }) {
			a.keys = append(a.keys, k)
		}
	}
}

// identities are the files of keys.
func (a *auth) identities() []string {
	if len(a.to.identities) > 0 {
		return a.to.identities
	}
	return a.to.expand([]string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"})
}

// dialAgent reaches ssh-agent, if it runs.
func dialAgent() net.Conn {
	c, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return nil
	}
	return c
}

// heldKeys are the keys that the agent holds.
func (a *auth) heldKeys() []ssh.Signer {
	if a.agent == nil {
		return nil
	}
	keys, err := agent.NewClient(a.agent).Signers()
	if err != nil {
		return nil
	}
	return keys
}

// readKey reads a private key. One that is locked, or of which only the public
// half is here, is the agent's if it has it; otherwise a locked one asks when the
// server wants a signature of it.
func (a *auth) readKey(file string, held []ssh.Signer) (ssh.Signer, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		public, _ := readPublicKey(file + ".pub")
		return heldOr(held, public, err)
	}
	key, err := ssh.ParsePrivateKey(pem)
	locked := (*ssh.PassphraseMissingError)(nil)
	if err == nil {
		return key, nil
	} else if !errors.As(err, &locked) {
		if public, _ := readPublicKey(file); public != nil {
			return heldOr(held, public, fmt.Errorf("it is a public key; name the private one, %s", strings.TrimSuffix(filepath.Base(file), ".pub")))
		}
		return nil, err
	}
	public := locked.PublicKey
	if public == nil { // a format that keeps it locked up, too
		if public, err = readPublicKey(file + ".pub"); err != nil {
			return nil, fmt.Errorf("it is encrypted, and there is no %s.pub beside it", filepath.Base(file))
		}
	}
	if !a.person() {
		return heldOr(held, public, fmt.Errorf("it is encrypted, and %w", errNoTerminal))
	}
	if key, err := heldOr(held, public, errLocked); err == nil {
		return key, nil
	}
	return &lockedKey{a: a, file: file, pem: pem, public: public}, nil
}

// heldOr finds a key among those of the agent.
func heldOr(held []ssh.Signer, public ssh.PublicKey, err error) (ssh.Signer, error) {
	for _, k := range held {
		if public != nil && sameKey(k.PublicKey(), public) {
			return k, nil
		}
	}
	return nil, err
}

func readPublicKey(file string) (ssh.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return key, err
}

// withCertificates puts before a key the certificates that are for it.
func (a *auth) withCertificates(file string, key ssh.Signer) (all []ssh.Signer) {
	files := a.to.certificates
	if file != "" {
		files = append([]string{file + "-cert.pub"}, files...)
	}
	for _, f := range files {
		public, err := readPublicKey(f)
		if err != nil {
			continue
		}
		if cert, ok := public.(*ssh.Certificate); ok && sameKey(cert.Key, key.PublicKey()) {
			if s, err := ssh.NewCertSigner(cert, key); err == nil {
				all = append(all, s)
			}
		}
	}
	return append(all, key)
}
