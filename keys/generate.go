package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// Generate makes an ed25519 key and writes the private key to path, in OpenSSH's
// format, without a passphrase, for its owner alone. It replaces no file: the
// error is then [fs.ErrExist].
func Generate(path, comment string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := writeKey(path, comment, private); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}

// writeKey writes a private key to a temporary file, syncs it, and then gives it
// its name, so that a crash leaves no half key.
func writeKey(path, comment string, private crypto.PrivateKey) error {
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-key-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = pem.Encode(f, block)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return publish(f.Name(), path)
}

// publish gives a file its name and syncs the folder. It replaces no file, but
// where the file system has no hard links.
func publish(temporary, path string) error {
	err := os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolder makes a folder for its owner alone, and those above it, unless it
// is there. A power cut does not undo it.
func makeFolder(path string) error {
	if i, err := os.Stat(path); err == nil && i.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if i, err := os.Stat(path); err != nil || !i.IsDir() {
		return errors.Join(err, &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrExist})
	}
	return syncFolder(parent)
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
