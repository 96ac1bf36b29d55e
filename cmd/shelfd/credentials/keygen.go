package credentials

import (
	"fmt"
	"io"
	"os"
	"os/user"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/arguments"
	"shelf/keys"
)

// Keygen is shelfd keygen.
func Keygen() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key pair to log in with",
		Long: "Make an ed25519 key pair: FILE is the private key, without a passphrase, and\n" +
			"FILE.pub the public one, which goes into an account's authorized keys.\n\n" +
			"If you have ssh-keygen, use that: it can protect the key with a passphrase.",
		Args: arguments.One("the file for the private key"),
		RunE: func(c *cobra.Command, args []string) error { return WriteKeyPair(args[0], c.OutOrStdout()) },
	}
}

// WriteKeyPair makes a key pair: a private key in a file, and the public one beside
// it, with ".pub". It prints what they are.
func WriteKeyPair(path string, out io.Writer) error {
	comment := "shelf"
	if me, err := user.Current(); err == nil {
		comment = me.Username
	}
	// The public key first: if its name is taken, no private key is made.
	public, err := os.OpenFile(path+".pub", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	defer public.Close()
	key, err := keys.Generate(path, comment)
	if err != nil {
		os.Remove(public.Name())
		return fmt.Errorf("make a key: %w", err)
	}
	line := ssh.MarshalAuthorizedKey(key)
	if _, err := fmt.Fprintf(public, "%s %s\n", line[:len(line)-1], comment); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s %s\n", ssh.FingerprintSHA256(key), public.Name())
	return err
}
