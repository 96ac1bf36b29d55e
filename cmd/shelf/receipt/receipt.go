// Package receipt checks receipts of Shelf: what a server has got, from whom and
// when, signed with its host key.
//
//	receipt.go  what a receipt says; the two files of one
//	sshsig.go   the signature, as ssh-keygen has it
//	hosts.go    whose key that is
//	verify.go   the command shelf verify
package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
)

// Receipt is what the server says of an upload.
type Receipt struct {
	Server  string    `json:"server"`
	Account string    `json:"account"`
	Library string    `json:"library"`
	Name    string    `json:"name"`
	Size    int64     `json:"size"` // bytes
	SHA256  string    `json:"sha256"`
	Seq     uint64    `json:"seq"` // of the line in its audit log
	Time    time.Time `json:"time"`

	Key ssh.PublicKey `json:"-"` // that signed it
}

// namespace is what receipts are signed for.
const namespace = "receipt@shelf"

// suffix is what the name of the file of a signature has more than that of the
// receipt, as with "ssh-keygen -Y sign".
const suffix = ".sig"

// most is the longest receipt or signature, in bytes.
const most = 64 << 10

// Check reads a receipt, and checks its signature. Whose key that is, is for the
// caller to say.
func Check(text, signature []byte) (r Receipt, err error) {
	key, err := verify(signature, namespace, text)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil || r.SHA256 == "" || r.Name == "" {
		return r, errors.New("this is no receipt")
	}
	r.Key = key
	return r, nil
}

// Load reads the two files of a receipt, and checks the signature.
func Load(file string) (Receipt, error) {
	text, err := read(file)
	if err != nil {
		return Receipt{}, err
	}
	signature, err := read(file + suffix)
	if err != nil {
		return Receipt{}, err
	}
	r, err := Check(text, signature)
	if err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text := make([]byte, most+1)
	n, err := f.Read(text)
	if n > most {
		err = fmt.Errorf("%s is too large to be a receipt", file)
	}
	return text[:n], err
}

// Save writes a receipt down: first the signature, so that where there is a receipt
// there is that, too. Those of an earlier upload are replaced.
func Save(file string, text, signature []byte) error {
	if err := write(file+suffix, signature); err != nil {
		return err
	}
	return write(file, text)
}

// write writes a file that is there whole or not at all.
func write(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".shelf-*.part")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Same tells whether a content is the one of the receipt.
func (r Receipt) Same(size int64, sha256 string) bool { return r.Size == size && r.SHA256 == sha256 }

// lines are those of a file, without their ends.
func lines(text []byte) [][]byte { return bytes.Split(bytes.TrimRight(text, "\r\n"), []byte("\n")) }
