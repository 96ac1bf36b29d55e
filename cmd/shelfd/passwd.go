package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shelf/keys"
)

func passwdCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "passwd",
		Short: "Make the hash of a password, for password_hash",
		Long: "Ask for a password, twice, and print its argon2id hash, which goes into an\n" +
			"account's password_hash. Without a terminal it reads the first line of its input.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := newPassword(c.InOrStdin(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := keys.HashPassword(text)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), hash)
			return err
		},
	}
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
