package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"shelf/keys/protected"

	"golang.org/x/crypto/ssh"
)

// HostKeys are the keys that a server proves itself with.
type HostKeys struct {
	Current []ssh.Signer // the first choice first; a key with a certificate is there with and without
	Next    []ssh.Signer // announced to clients, not used yet
}

// hostKeyType is a kind of host key, and its file in the state folder.
type hostKeyType struct{ name, file, algorithm string }

func hostKeyTypes() []hostKeyType {
	return []hostKeyType{
		{"ed25519", hostKeyName, ssh.KeyAlgoED25519},
		{"rsa", "ssh_host_rsa_key", ssh.KeyAlgoRSA},
		{"ecdsa", "ssh_host_ecdsa_key", ssh.KeyAlgoECDSA256},
	}
}

// These follow the file name of a host key.
const (
	nextSuffix = ".next"     // the key that will follow it
	oldSuffix  = ".old"      // the key that it followed
	certSuffix = "-cert.pub" // its certificate, as ssh-keygen -h -s names it
)

// hostRSABits is the size of new RSA host keys.
const hostRSABits = 3072

// OpenHostKeys loads the host keys of the state folder, and all next keys and
// certificates that are there. The first time it makes a key, as [HostKey] does.
func OpenHostKeys(state string) (k HostKeys, err error) {
	if _, err := HostKey(state); err != nil {
		return k, err
	}
	return LoadHostKeys(state)
}

// MakeMissingHostKeys makes a key of each type that the state folder has none of,
// for clients that don't know the others.
func MakeMissingHostKeys(state string) error {
	if _, err := HostKey(state); err != nil {
		return err
	}
	for _, t := range hostKeyTypes() {
		path := filepath.Join(state, t.file)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			continue // loading it says what is wrong
		}
		// Another server that starts now may have made one: then that is used.
		if _, err := t.make(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the host key: %w", err)
		}
	}
	return nil
}

// CheckHostKeys is nil if the host keys of the state folder can be loaded. It
// makes none.
func CheckHostKeys(state string) error {
	_, err := LoadHostKeys(state)
	return err
}

// LoadHostKeys loads the host keys of the state folder, and all next keys and
// certificates that are there. It makes none: there may be none.
func LoadHostKeys(state string) (k HostKeys, err error) {
	for _, t := range hostKeyTypes() {
		path := filepath.Join(state, t.file)
		current, err := loadSigner(path, t.algorithm)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return k, err
		}
		certified, err := certify(current, path+certSuffix)
		if err != nil {
			return k, err
		}
		k.Current = append(k.Current, certified...)
		next, err := loadSigner(path+nextSuffix, t.algorithm)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
		if err == nil {
			k.Next = append(k.Next, next)
		}
	}
	return k, nil
}

// loadSigner loads a host key. An RSA key signs with SHA-2 only (RFC 8332).
func loadSigner(path, algorithm string) (ssh.Signer, error) {
	key, err := loadHostKey(path, algorithm)
	if err != nil || algorithm != ssh.KeyAlgoRSA {
		return key, err
	}
	if err := checkKey(key.PublicKey()); err != nil {
		return nil, fmt.Errorf("host key: %s: %w", path, err)
	}
	return ssh.NewSignerWithAlgorithms(key.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256})
}

// certify returns a key and, before it, the key with its certificate, if there is
// one (PROTOCOL.certkeys).
func certify(key ssh.Signer, path string) ([]ssh.Signer, error) {
	content, err := protected.Read(path, maxHostKey, protected.Public)
	if errors.Is(err, fs.ErrNotExist) {
		return []ssh.Signer{key}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("host certificate: %w", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(content)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok || cert.CertType != ssh.HostCert {
		return nil, fmt.Errorf("host certificate: %s is not a host certificate", path)
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		return nil, fmt.Errorf("host certificate: %s: %w", path, err)
	}
	return []ssh.Signer{signer, key}, nil
}

// MakeHostKey makes a host key of a type, "ed25519", "rsa" or "ecdsa": the first one or, if
// there is one, the next.
func MakeHostKey(state, name string) (path string, key ssh.PublicKey, err error) {
	for _, t := range hostKeyTypes() {
		if t.name != name {
			continue
		}
		if err := makeFolder(state); err != nil {
			return "", nil, fmt.Errorf("make the state folder: %w", err)
		}
		path = filepath.Join(state, t.file)
		if _, err := os.Stat(path); err == nil {
			path += nextSuffix
		}
		if key, err = t.make(path); errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%s exists already; to use it, run: shelfd hostkey rotate", path)
		}
		return path, key, err
	}
	return "", nil, fmt.Errorf("%q is not a type of host key; name ed25519, rsa or ecdsa", name)
}

func (t hostKeyType) make(path string) (ssh.PublicKey, error) {
	const comment = "shelf host key"
	var private crypto.Signer
	var err error
	switch t.algorithm {
	case ssh.KeyAlgoRSA:
		private, err = rsa.GenerateKey(rand.Reader, hostRSABits)
	case ssh.KeyAlgoECDSA256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return Generate(path, comment)
	}
	if err == nil {
		err = writeKey(path, comment, private)
	}
	if err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(private.Public())
}

// RotateHostKeys puts each next key in the place of the current one, which is kept
// as an old key with its certificate. It returns the files that have changed.
func RotateHostKeys(state string) (changed []string, err error) {
	for _, t := range hostKeyTypes() {
		path := filepath.Join(state, t.file)
		if _, err := loadSigner(path+nextSuffix, t.algorithm); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return changed, err
		}
		if err := remember(state, path, t.algorithm); err != nil {
			return changed, fmt.Errorf("rotate the host key: %w", err)
		}
		if err := rotate(path); err != nil {
			return changed, fmt.Errorf("rotate the host key: %w", err)
		}
		changed = append(changed, path)
	}
	return changed, nil
}

// oldHostKeys is the file of the public keys that were in use before, one a line:
// what they have signed can be checked for ever.
const oldHostKeys = "old_host_keys"

// OldHostKeys are the public keys that were in use before.
func OldHostKeys(state string) ([]ssh.PublicKey, error) {
	all, err := readKeys(filepath.Join(state, oldHostKeys))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return all, err
}

// remember adds the key that is in use to the old ones.
func remember(state, path, algorithm string) error {
	key, err := loadSigner(path, algorithm)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	known, err := OldHostKeys(state)
	if err != nil || slices.ContainsFunc(known, func(k ssh.PublicKey) bool { return sameKey(k, key.PublicKey()) }) {
		return err
	}
	f, err := os.OpenFile(filepath.Join(state, oldHostKeys), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(ssh.MarshalAuthorizedKey(key.PublicKey()))
	return errors.Join(err, f.Sync(), f.Close(), syncFolder(state))
}

// rotate replaces one key. The order keeps a usable key under path whenever it
// is cut short, by a power cut too; to rotate again then goes on from there:
//
//	link path.old      the key in use has a second name
//	rename certificate it is not that of the next key; without it the key is good
//	fsync(folder)      both are on disk
//	rename path.next   the next key in place of the one in use, in one step
//	fsync(folder)
func rotate(path string) error {
	folder := filepath.Dir(path)
	if sameFile(path, path+nextSuffix) {
		// A power cut has left both names of the last rename.
		return errors.Join(os.Remove(path+nextSuffix), syncFolder(folder))
	}
	if err := os.Remove(path + oldSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, path+oldSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep the old key: %w", err)
	}
	if err := os.Rename(path+certSuffix, path+oldSuffix+certSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep the old certificate: %w", err)
	}
	if err := syncFolder(folder); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+nextSuffix, path), syncFolder(folder))
}

func sameFile(a, b string) bool {
	x, errX := os.Lstat(a)
	y, errY := os.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
