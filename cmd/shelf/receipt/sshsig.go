package receipt

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// The armor and the magic of a signature (OpenSSH's PROTOCOL.sshsig).
const (
	beginSignature = "-----BEGIN SSH SIGNATURE-----\n"
	endSignature   = "\n-----END SSH SIGNATURE-----"
	magic          = "SSHSIG"
)

// signature is one without its armor (PROTOCOL.sshsig section 2), after magic.
type signature struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// verify checks the signature of a message and returns the key that made it.
func verify(armored []byte, namespace string, message []byte) (ssh.PublicKey, error) {
	s, err := dearmor(armored)
	if err != nil {
		return nil, err
	}
	if s.Namespace != namespace {
		return nil, fmt.Errorf("the signature is one for %q, and not for %q", s.Namespace, namespace)
	}
	key, err := ssh.ParsePublicKey(s.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("the key of the signature: %w", err)
	}
	var made ssh.Signature
	if err := ssh.Unmarshal(s.Signature, &made); err != nil || made.Format == ssh.KeyAlgoRSA { // SHA-1
		return nil, errors.New("the signature is of a kind that is not accepted")
	}
	sum, err := digest(s.Hash, message)
	if err != nil {
		return nil, err
	}
	signed := append([]byte(magic), ssh.Marshal(struct {
		Namespace, Reserved, Hash string
		Sum                       []byte
	}{s.Namespace, s.Reserved, s.Hash, sum})...)
	if key.Verify(signed, &made) != nil {
		return nil, errors.New("the signature does not fit: the receipt or the signature was changed")
	}
	return key, nil
}

// digest is that of the message, of which section 2 knows two.
func digest(name string, message []byte) ([]byte, error) {
	switch name {
	case "sha512":
		sum := sha512.Sum512(message)
		return sum[:], nil
	case "sha256":
		sum := sha256.Sum256(message)
		return sum[:], nil
	}
	return nil, fmt.Errorf("the signature has the digest %q, which is not known", name)
}

func dearmor(armored []byte) (s signature, err error) {
	rest, ok := bytes.CutPrefix(bytes.ReplaceAll(armored, []byte("\r\n"), []byte("\n")), []byte(beginSignature))
	body, _, end := bytes.Cut(rest, []byte(endSignature))
	if !ok || !end {
		return s, errors.New("this is no signature of ssh-keygen")
	}
	blob, err := base64.StdEncoding.DecodeString(string(bytes.ReplaceAll(body, []byte("\n"), nil)))
	rest, ok = bytes.CutPrefix(blob, []byte(magic))
	if err != nil || !ok || ssh.Unmarshal(rest, &s) != nil || s.Version != 1 {
		return s, errors.New("this signature of ssh-keygen is damaged, or of a version that is not known")
	}
	return s, nil
}
