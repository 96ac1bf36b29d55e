// Package credentials has the commands that make what proves who somebody is,
// and show it: people to the server, and the server to people.
//
//	passwd.go   shelfd passwd: the hash of a password
//	weak.go     which passwords it refuses
//	totp.go     shelfd totp: a secret for one-time codes
//	keygen.go   shelfd keygen: a key pair to log in with
//	hostkey.go  shelfd hostkey: the keys that clients know the server by
//	owner.go    for which server, and as which user
package credentials

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shelf/cmd/shelfd/arguments"
	"shelf/keys"
)

// Passwd is shelfd passwd.
func Passwd() *cobra.Command {
	weak := false
	c := &cobra.Command{
		Use:   "passwd",
		Short: "Make the hash of a password, for password_hash",
		Long: "Ask for a password, twice, and print its argon2id hash, which goes into an\n" +
			"account's password_hash. Without a terminal it reads the first line of its input.\n" +
			"A password that is short, or one of those that are tried first, is refused.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := newPassword(c.InOrStdin(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			if why := weakness(text); why != "" && !weak {
				return fmt.Errorf("the password %s; choose another, or give --weak", why)
			}
			hash, err := keys.HashPassword(text)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), hash)
			return err
		},
	}
	c.Flags().BoolVar(&weak, "weak", false, "take a password that is short or common")
	return c
}

// newPassword reads a password. At a terminal it is not shown.
func newPassword(in io.Reader, prompt io.Writer) (string, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, text := range []string{"New password: ", "The same again: "} {
		fmt.Fprint(prompt, text)
		password, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(prompt)
		if err != nil {
			return "", err
		}
		typed[i] = string(password)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ; try again")
	}
	return typed[0], nil
}
