package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// hostKeyName is the host key's file in the state folder, under sshd's name.
const hostKeyName = "ssh_host_ed25519_key"

// maxHostKey is more than any private key needs, in bytes.
const maxHostKey = 64 << 10

// HostKey loads the host key of the state folder, or makes it, and the folder,
// the first time. A key that others could have read is refused: whoever has it
// can pose as this server.
func HostKey(state string) (ssh.Signer, error) {
	path := filepath.Join(state, hostKeyName)
	signer, err := loadHostKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return signer, err
	}
	if err := makeHostKey(path); err != nil {
		return nil, fmt.Errorf("make the host key: %w", err)
	}
	return loadHostKey(path)
}

func loadHostKey(path string) (ssh.Signer, error) {
	content, err := readSecure(path, maxHostKey, ownerOnly)
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(content)
	if err != nil {
		return nil, fmt.Errorf("host key: %s is not a private key without a passphrase: %w", path, err)
	}
	if signer.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return nil, fmt.Errorf("host key: %s is of type %s, not %s",
			path, signer.PublicKey().Type(), ssh.KeyAlgoED25519)
	}
	return signer, nil
}

// makeHostKey writes a new key to a file of its own, syncs it and only then
// gives it its name, so that no crash leaves half a key. It leaves a key alone
// that another process has put there meanwhile.
func makeHostKey(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	content, err := newHostKey()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".new-host-key-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return publish(f.Name(), path)
}

func newHostKey() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "shelf host key")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// publish gives a file its name without replacing another, and makes the name
// durable. Where there are no hard links it is renamed.
func publish(temporary, path string) error {
	err := os.Link(temporary, path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
