package receipt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

// Error is why a receipt does not hold.
type Error struct {
	Err       error
	Untrusted bool // it is signed with a key that is not trusted
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// UI is who is told. It makes what it prints safe for a terminal.
type UI interface {
	Sayf(format string, args ...any)
	Event(v any)
}

// Command is shelf verify, which checks a receipt without a server. files are those of
// known hosts, of which one may be named.
func Command(u UI, files func(named string) []string) *cobra.Command {
	var known string
	c := &cobra.Command{
		Use:   "verify RECEIPT FILE",
		Short: "Check a receipt of an upload, and that it is one of this file",
		Long: "Check the signature of a receipt, which is in RECEIPT.sig, and that the receipt is one\n" +
			"of FILE as it is here. The key that signed it must be that of a known host; which\n" +
			"host is printed. No server is asked.",
		Example: "  shelf ada@files.example.com put report.pdf --receipt\n  shelf verify report.pdf.receipt report.pdf",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("which receipt, and which file? shelf verify RECEIPT FILE")
			}
			return Verify(u, args[0], args[1], files(known))
		},
	}
	c.Flags().StringVar(&known, "known-hosts", "", "`FILE` of trusted host keys (default ~/.ssh/known_hosts)")
	return c
}

// verified is what scripts are told of a receipt.
type verified struct {
	Event   string    `json:"event"` // verified
	Name    string    `json:"name"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	Account string    `json:"account"`
	Server  string    `json:"server"`
	Library string    `json:"library"`
	Time    time.Time `json:"time"`
	Seq     uint64    `json:"seq"`
	Key     string    `json:"key"`
	Host    string    `json:"host"`
}

// Verify checks a receipt: its signature, that the key is one of a known host, and
// that the file is the one that the server got. The error is an [*Error].
func Verify(u UI, receipt, file string, knownHosts []string) error {
	r, err := Load(receipt)
	if err != nil {
		return &Error{Err: err}
	}
	print := ssh.FingerprintSHA256(r.Key)
	host, err := r.host(knownHosts)
	if err != nil {
		return &Error{Err: fmt.Errorf("the receipt is signed with %s, %w", print, err), Untrusted: true}
	}
	size, sum, err := digestOf(file)
	if err != nil {
		return &Error{Err: err}
	}
	if !r.Same(size, sum) {
		return &Error{Err: fmt.Errorf("%s is not the file of the receipt: it has %d bytes and the SHA-256 %s; the receipt is for %d bytes and %s", file, size, sum, r.Size, r.SHA256)}
	}
	u.Event(verified{"verified", r.Name, r.Size, r.SHA256, r.Account, r.Server, r.Library, r.Time, r.Seq, print, host})
	u.Sayf("%s: %d bytes, put as %s into %s by %s, %s.", file, r.Size, r.Name, r.Library, r.Account, r.Time.Format(time.RFC3339))
	u.Sayf("Line %d of the audit log of %s. Signed with %s, the key of %s.", r.Seq, r.Server, print, host)
	return nil
}

// host is the known host whose key has signed the receipt.
func (r Receipt) host(files []string) (string, error) {
	hosts, err := Hosts(r.Key, files)
	if err != nil {
		return "", fmt.Errorf("and it cannot be told whose key that is: %w", err)
	}
	for _, h := range hosts {
		if h.Revoked {
			return "", fmt.Errorf("which line %d of %s has REVOKED: somebody may have stolen it", h.Line, h.File)
		}
	}
	if len(hosts) == 0 {
		return "", errors.New("which is the key of no known host; ask the operator whether it is or was the server's, and then name a file that has it with --known-hosts")
	}
	return hosts[0].String(), nil
}

// digestOf reads a file here.
func digestOf(file string) (size int64, sum string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}
