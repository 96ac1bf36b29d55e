// Package sshsig makes and checks signatures in the format of OpenSSH's
// "ssh-keygen -Y" (PROTOCOL.sshsig), by any key of SSH.
package sshsig

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	magic     = "SSHSIG"
	algorithm = "sha512" // of the message
)

// blob is a signature without its armor (PROTOCOL.sshsig section 2), after magic.
type blob struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// toSign is what is signed (section 3), after magic.
func toSign(namespace string, message []byte) []byte {
	sum := sha512.Sum512(message)
	return append([]byte(magic), ssh.Marshal(struct {
		Namespace, Reserved, Hash string
		Sum                       []byte
	}{namespace, "", algorithm, sum[:]})...)
}

// Sign signs a message for one purpose, its namespace. The signature has no armor
// yet.
func Sign(key ssh.Signer, namespace string, message []byte) ([]byte, error) {
	signature, err := sign(key, toSign(namespace, message))
	if err != nil {
		return nil, err
	}
	public := key.PublicKey()
	if cert, ok := public.(*ssh.Certificate); ok {
		public = cert.Key
	}
	return append([]byte(magic), ssh.Marshal(blob{1, public.Marshal(), namespace, "", algorithm, ssh.Marshal(signature)})...), nil
}

// sign never uses SHA-1, which ssh-keygen refuses in signatures of RSA keys.
func sign(key ssh.Signer, data []byte) (*ssh.Signature, error) {
	if key, ok := key.(ssh.AlgorithmSigner); ok && strings.HasPrefix(key.PublicKey().Type(), ssh.KeyAlgoRSA) {
		return key.SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSASHA512)
	}
	return key.Sign(rand.Reader, data)
}

// Verify checks a signature without its armor, and returns the key that made it.
// Whether that key is to be trusted is for the caller to say.
func Verify(signature []byte, namespace string, message []byte) (ssh.PublicKey, error) {
	rest, ok := strings.CutPrefix(string(signature), magic)
	var b blob
	if !ok || ssh.Unmarshal([]byte(rest), &b) != nil || b.Version != 1 || b.Hash != algorithm {
		return nil, errors.New("this is no signature that is understood here")
	}
	if b.Namespace != namespace {
		return nil, fmt.Errorf("the signature is for %q, and not for %q", b.Namespace, namespace)
	}
	key, err := ssh.ParsePublicKey(b.PublicKey)
	if err != nil {
		return nil, err
	}
	var s ssh.Signature
	if err := ssh.Unmarshal(b.Signature, &s); err != nil || s.Format == ssh.KeyAlgoRSA {
		return nil, errors.New("the signature is of a kind that is not accepted")
	}
	if err := key.Verify(toSign(namespace, message), &s); err != nil {
		return nil, errors.New("the signature does not fit")
	}
	return key, nil
}

// Armor is the signature as a file that ssh-keygen reads.
func Armor(signature []byte) string {
	const width = 70
	var b strings.Builder
	b.WriteString("-----BEGIN SSH SIGNATURE-----\n")
	for text := base64.StdEncoding.EncodeToString(signature); text != ""; {
		n := min(width, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString("-----END SSH SIGNATURE-----\n")
	return b.String()
}
