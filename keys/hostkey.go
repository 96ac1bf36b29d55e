package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"shelf/keys/protected"

	"golang.org/x/crypto/ssh"
)

// hostKeyName is the host key's file in the state folder, under sshd's name.
const hostKeyName = "ssh_host_ed25519_key"

// maxHostKey is more than any private key needs, in bytes.
const maxHostKey = 64 << 10

// HostKey loads the host key of the state folder. The first time it makes the key
// and the folder. It refuses a key that others could have read: who has the key
// can pose as this server.
func HostKey(state string) (ssh.Signer, error) {
	path := filepath.Join(state, hostKeyName)
	signer, err := loadHostKey(path, ssh.KeyAlgoED25519)
	if !errors.Is(err, fs.ErrNotExist) {
		return signer, err
	}
	if err := makeFolder(state); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	// Another server that starts now may have made one: then that is used.
	if _, err := Generate(path, "shelf host key"); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the host key: %w", err)
	}
	return loadHostKey(path, ssh.KeyAlgoED25519)
}

func loadHostKey(path, algorithm string) (ssh.Signer, error) {
	content, err := protected.Read(path, maxHostKey, protected.Private)
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(content)
	if err != nil {
		return nil, fmt.Errorf("host key: %s is not a private key without a passphrase: %w", path, err)
	}
	if signer.PublicKey().Type() != algorithm {
		return nil, fmt.Errorf("host key: %s is of type %s, not %s", path, signer.PublicKey().Type(), algorithm)
	}
	return signer, nil
}
