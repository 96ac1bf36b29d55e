package keys

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"shelf/keys/protected"

	"golang.org/x/crypto/ssh"
)

// errRevoked refuses a key that is on the list of revoked keys.
var errRevoked = errors.New("this key has been revoked")

// krlMagic begins an OpenSSH key revocation list in its binary form.
var krlMagic = []byte("SSHKRL\n\x00")

// revoked is nil if a key is not on the list of revoked keys and, for a
// certificate, its key and its authority are not. If the list cannot be read,
// nobody can log in by key, as with sshd: any key may be on it.
func (a *Accounts) revoked(key ssh.PublicKey) error {
	if a.o.RevokedKeys == "" {
		return nil
	}
	list, err := readRevoked(a.o.RevokedKeys)
	if err != nil {
		a.o.Log.Error("nobody can log in by key", "file", a.o.RevokedKeys, "reason", err)
		return errors.New("the server cannot read its list of revoked keys")
	}
	about := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		about = append(about, cert.Key, cert.SignatureKey)
	}
	for _, k := range about {
		if list[ssh.FingerprintSHA256(k)] {
			return errRevoked
		}
	}
	return nil
}

// readRevoked reads a list of public keys or fingerprints ("SHA256:..."), one a
// line.
func readRevoked(path string) (map[string]bool, error) {
	content, err := readPublic(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(content, krlMagic) {
		return nil, fmt.Errorf("%s is a binary key revocation list, which is not supported; list keys or fingerprints, one a line", path)
	}
	list := make(map[string]bool)
	err = eachLine(content, func(number int, text string) error {
		print, err := fingerprintOf(text)
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", path, number, err)
		}
		list[print] = true
		return nil
	})
	return list, err
}

func fingerprintOf(text string) (string, error) {
	if first, _, _ := strings.Cut(text, " "); strings.HasPrefix(first, "SHA256:") && len(first) == len("SHA256:")+43 {
		return first, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return "", errors.New("it is neither a public key nor its SHA256 fingerprint")
	}
	return ssh.FingerprintSHA256(key), nil
}

// readPublic reads a file of public keys.
func readPublic(path string) ([]byte, error) {
	content, err := protected.Read(path, maxAuthorizedKeys, protected.Public)
	if err == nil && isPrivateKey(content) {
		err = fmt.Errorf("%s: %w", path, ErrPrivateKey)
	}
	return content, err
}

// readKeys reads a file of keys without options; "" is none.
func readKeys(path string) (all []ssh.PublicKey, err error) {
	if path == "" {
		return nil, nil
	}
	content, err := readPublic(path)
	if err != nil {
		return nil, err
	}
	err = eachLine(content, func(number int, text string) error {
		key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil || len(options) > 0 {
			return fmt.Errorf("%s: line %d: it is not a public key alone", path, number)
		}
		if err := checkKey(key); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, number, err)
		}
		all = append(all, key)
		return nil
	})
	return all, err
}

// checkFiles refuses files that could not be read at a login.
func (a *Accounts) checkFiles() (faults error) {
	if a.o.RevokedKeys != "" {
		if _, err := readRevoked(a.o.RevokedKeys); err != nil {
			faults = &Fault{Setting: "revoked_keys", Err: err}
		}
	}
	if _, err := readKeys(a.o.TrustedUserCAKeys); err != nil {
		faults = errors.Join(faults, &Fault{Setting: "trusted_user_ca_keys", Err: err})
	}
	return faults
}
