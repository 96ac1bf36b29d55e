package connect

import (
	"errors"
	"io"

	"golang.org/x/crypto/ssh"
)

// errLocked means that a key cannot sign.
var errLocked = errors.New("the key is locked")

// lockedKey is an encrypted key that is unlocked when it is first used.
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

// unlock asks for the passphrase, up to three times. An empty answer skips the key.
func (k *lockedKey) unlock() error {
	for try := 0; k.key == nil; try++ {
		if try > 0 {
			k.a.Warnf("shelf: the passphrase is wrong; try again")
		}
		secret, err := "", errLocked
		if try < 3 {
			secret, err = k.a.ask(true, "passphrase of %s: ", k.file)
		}
		if err != nil || secret == "" {
			k.a.Warnf("shelf: the key %s is not used", k.file)
			k.a.locked = k.public
			return errLocked
		}
		k.key, _ = ssh.ParsePrivateKeyWithPassphrase(k.pem, []byte(secret))
	}
	return nil
}

// afterLocked are the keys after one that was not unlocked.
func (a *auth) afterLocked() (rest []ssh.Signer) {
	if a.locked == nil {
		return nil
	}
	for i, k := range a.keys {
		public := k.PublicKey()
		if cert, ok := public.(*ssh.Certificate); ok {
			public = cert.Key
		}
		if sameKey(public, a.locked) {
			rest = a.keys[i+1:]
		}
	}
	a.locked = nil
	return rest
}
