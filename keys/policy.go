package keys

import (
	"crypto/rsa"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// minRSABits is the shortest RSA key that may log in.
const minRSABits = 2048

// UserAlgorithms are the signature algorithms that a client may log in with: with
// SHA-2 or elliptic curves, without SHA-1 (RFC 8332) and DSA.
func UserAlgorithms() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// checkKey refuses keys that are too weak, or of a type that is not supported.
func checkKey(key ssh.PublicKey) error {
	if key.Type() == ssh.KeyAlgoRSA {
		return checkRSA(key)
	}
	if !slices.Contains(UserAlgorithms(), key.Type()) {
		return fmt.Errorf("keys of type %s are not accepted", key.Type())
	}
	return nil
}

func checkRSA(key ssh.PublicKey) error {
	inner, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return fmt.Errorf("keys of type %s are not accepted", key.Type())
	}
	public, ok := inner.CryptoPublicKey().(*rsa.PublicKey)
	if !ok || public.N.BitLen() < minRSABits {
		return fmt.Errorf("an RSA key must have %d bits or more", minRSABits)
	}
	return nil
}
