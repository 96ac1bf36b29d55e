package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// signers are the keys to try: those that were named, the agent's, and the
// usual ones if none was named; and before each the certificates made for it.
func (a *auth) signers() []ssh.Signer {
	held := agentKeys()
	var all []ssh.Signer
	for _, file := range a.identities() {
		key, err := a.readKey(file, held)
		switch {
		case err == nil:
			all = append(all, a.withCertificates(file, key)...)
		case len(a.to.identities) > 0:
			a.warnf("shelf: the key %s is not used: %v", file, reason(err))
		}
	}
	if a.to.identitiesOnly {
		return all
	}
	for _, key := range held {
		all = append(all, a.withCertificates("", key)...)
	}
	return all
}

// identities are the files of keys.
func (a *auth) identities() []string {
	if len(a.to.identities) > 0 {
		return a.to.identities
	}
	return a.to.expand([]string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"})
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

// readKey reads a private key. One that needs a passphrase is the agent's if it
// has it, and otherwise asks when the server wants a signature of it.
func (a *auth) readKey(file string, held []ssh.Signer) (ssh.Signer, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	locked := (*ssh.PassphraseMissingError)(nil)
	if !errors.As(err, &locked) {
		return key, err
	}
	public := locked.PublicKey
	if public == nil { // a format that keeps it locked up, too
		if public, err = readPublicKey(file + ".pub"); err != nil {
			return nil, fmt.Errorf("it is encrypted, and there is no %s.pub beside it", filepath.Base(file))
		}
	}
	for _, k := range held {
		if bytes.Equal(k.PublicKey().Marshal(), public.Marshal()) {
			return k, nil
		}
	}
	return &lockedKey{a: a, file: file, pem: pem, public: public}, nil
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
		if cert, ok := public.(*ssh.Certificate); ok && bytes.Equal(cert.Key.Marshal(), key.PublicKey().Marshal()) {
			if s, err := ssh.NewCertSigner(cert, key); err == nil {
				all = append(all, s)
			}
		}
	}
	return append(all, key)
}

// lockedKey is a key that is unlocked when it is first used.
type lockedKey struct {
	a      *auth
	file   string
	pem    []byte
	public ssh.PublicKey
	key    ssh.Signer
}

// PublicKey implements [ssh.Signer].
func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

// Sign implements [ssh.Signer].
func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm implements [ssh.AlgorithmSigner].
func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if err := k.unlock(); err != nil {
		return nil, err
	}
	if s, ok := k.key.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return s.SignWithAlgorithm(rand, data, algorithm)
	}
	return k.key.Sign(rand, data)
}

// unlock asks for the passphrase, up to three times.
func (k *lockedKey) unlock() (err error) {
	for try := 0; k.key == nil && try < 3; try++ {
		var secret string
		if secret, err = k.a.secret("passphrase of " + printable(k.file) + ": "); err != nil {
			return err
		}
		k.key, err = ssh.ParsePrivateKeyWithPassphrase(k.pem, []byte(secret))
	}
	if err != nil {
		return fmt.Errorf("the key %s is not unlocked: %w", k.file, err)
	}
	return nil
}
