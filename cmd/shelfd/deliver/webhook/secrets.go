package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Signer signs messages, in one of the two ways of Standard Webhooks.
type Signer struct {
	secret []byte             // of v1: HMAC-SHA256
	key    ed25519.PrivateKey // of v1a; one of the two is set
}

// The forms of secrets and keys, as Standard Webhooks has them: a prefix, and then
// base64.
const (
	secretPrefix = "whsec_"
	keyPrefix    = "whsk_"
	publicPrefix = "whpk_"
)

// The least and the most that a secret may have, in bytes.
const minSecret, maxSecret = 24, 64

// sign is the header of the signatures of a message.
func sign(all []Signer, id, timestamp string, body []byte) string {
	message := bytes.Join([][]byte{[]byte(id), []byte(timestamp), body}, []byte("."))
	var signatures []string
	for _, s := range all {
		version, signature := "v1a,", []byte(nil)
		if s.key != nil {
			signature = ed25519.Sign(s.key, message)
		} else {
			mac := hmac.New(sha256.New, s.secret)
			mac.Write(message)
			version, signature = "v1,", mac.Sum(nil)
		}
		signatures = append(signatures, version+base64.StdEncoding.EncodeToString(signature))
	}
	return strings.Join(signatures, " ")
}

// Public is the public key of a signer in the form whpk_..., or "" if it has none.
func (s Signer) Public() string {
	if s.key == nil {
		return ""
	}
	return publicPrefix + base64.StdEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey))
}

// maxFile is how large a file of secrets may be, in bytes.
const maxFile = 64 << 10

// ReadSecrets reads a file of secrets, one a line, in the form whsec_... or base64
// alone. Messages have a signature by each, so that one can be exchanged for another.
func ReadSecrets(path string) (all []Signer, err error) {
	text, err := ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, secretPrefix))
		if err != nil || len(secret) < minSecret || len(secret) > maxSecret {
			return nil, fmt.Errorf("%s: a secret is %s and %d to %d random bytes in base64, as of: echo %s$(openssl rand -base64 32)",
				path, secretPrefix, minSecret, maxSecret, secretPrefix)
		}
		all = append(all, Signer{secret: secret})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no secret", path)
	}
	return all, nil
}

// ReadKey reads a private key of ed25519: a file of ssh-keygen or shelfd keygen, or a
// line in the form whsk_....
func ReadKey(path string) (Signer, error) {
	text, err := ReadPrivate(path)
	if err != nil {
		return Signer{}, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(keyPrefix)) {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(text)), keyPrefix))
		switch {
		case err == nil && len(raw) == ed25519.SeedSize:
			return Signer{key: ed25519.NewKeyFromSeed(raw)}, nil
		case err == nil && len(raw) == ed25519.PrivateKeySize:
			return Signer{key: ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])}, nil
		}
		return Signer{}, fmt.Errorf("%s: %s must be followed by a private key of ed25519 in base64", path, keyPrefix)
	}
	parsed, err := ssh.ParseRawPrivateKey(text)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return Signer{}, fmt.Errorf("%s has a passphrase, which nobody is there to type; make a key without one: shelfd keygen FILE", path)
	}
	key, ok := parsed.(*ed25519.PrivateKey)
	if err != nil || !ok {
		return Signer{}, fmt.Errorf("%s is no private key of ed25519; make one: shelfd keygen FILE", path)
	}
	return Signer{key: *key}, nil
}

// ReadPrivate reads a file that others can neither read nor write. The group may read
// it: it may be all that the owner of the file and this process have in common.
func ReadPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if bad := info.Mode().Perm() & 0o027; bad != 0 {
		return nil, fmt.Errorf("%s has mode %04o, so others may read or change the secret; run: chmod o=,g-w %s", path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return text, err
}
