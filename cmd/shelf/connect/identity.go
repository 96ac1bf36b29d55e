package connect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// signers are the keys to offer: those that were named, or else those in the usual
// files, and then those of the agent. Before each key come its certificates.
func (a *auth) signers() []ssh.Signer {
	a.begun = true
	held := a.heldKeys()
	for _, file := range a.identities() {
		key, err := a.readKey(file, held)
		switch {
		case err == nil:
			a.add(a.withCertificates(file, key))
		case a.to.named:
			a.Warnf("shelf: the key %s is not used: %v", file, err)
		case !errors.Is(err, fs.ErrNotExist):
			a.unused = append(a.unused, fmt.Sprintf("the key %s is not used: %v", file, err))
		}
	}
	if !a.to.identitiesOnly {
		for _, key := range held {
			a.add(a.withCertificates("", key))
		}
	}
	return a.keys
}

// add adds keys that are not there yet. Servers count the keys that are offered, and
// the agent often has the same ones as the files.
func (a *auth) add(keys []ssh.Signer) {
	for _, k := range keys {
		if !slices.ContainsFunc(a.keys, func(other ssh.Signer) bool { return sameKey(other.PublicKey(), k.PublicKey()) }) {
			a.keys = append(a.keys, k)
		}
	}
}

// identities are the files of private keys.
func (a *auth) identities() []string {
	if a.to.named {
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

// readKey reads a private key. If it is encrypted, or only its public half is here,
// the agent may have it. If not, the passphrase of an encrypted key is asked for when
// the server wants a signature.
func (a *auth) readKey(file string, held []ssh.Signer) (ssh.Signer, error) {
	pem, open, err := readPrivate(file)
	if err != nil {
		public, _ := readPublicKey(file + ".pub")
		return heldOr(held, public, errors.Unwrap(err)) // without the path
	}
	key, err := ssh.ParsePrivateKey(pem)
	locked := (*ssh.PassphraseMissingError)(nil)
	switch private := err == nil || errors.As(err, &locked); {
	case private && open != nil:
		public, _ := readPublicKey(file + ".pub")
		return heldOr(held, public, open)
	case err == nil:
		return key, nil
	case !private:
		if public, _ := readPublicKey(file); public != nil {
			return heldOr(held, public, fmt.Errorf("it is a public key; name the private one, %s", strings.TrimSuffix(filepath.Base(file), ".pub")))
		}
		return nil, err
	}
	public := locked.PublicKey
	if public == nil { // in an old format the public half is encrypted, too
		if public, err = readPublicKey(file + ".pub"); err != nil {
			return nil, fmt.Errorf("it is encrypted, and there is no %s.pub beside it", filepath.Base(file))
		}
	}
	if !a.Person() {
		return heldOr(held, public, fmt.Errorf("it is encrypted, and %w", errNobody))
	}
	if key, err := heldOr(held, public, errLocked); err == nil {
		return key, nil
	}
	return &lockedKey{a: a, file: file, pem: pem, public: public}, nil
}

// readPrivate reads a file, and tells whether others can read it, too. As with ssh
// that counts only for a file of one's own: who may read a file of somebody else
// cannot mend it.
func readPrivate(file string) (text []byte, open, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if mode := info.Mode().Perm(); ownedByUs(info) && mode&0o077 != 0 {
		open = fmt.Errorf("others may use it (its mode is %04o); chmod 600 makes it yours alone", mode)
	}
	text, err = io.ReadAll(f)
	return text, open, err
}

// heldOr finds a key among those of the agent, or returns err.
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

// withCertificates is a key, and before it the certificates for it.
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
