package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// adding are the flags of shelfd add.
type adding struct {
	config  string
	more    bool
	invite  bool
	expires time.Duration
	host    string
}

// Add is the command shelfd add.
func Add() *cobra.Command {
	var a adding
	c := &cobra.Command{
		Use:   "add ACCOUNT [KEY]",
		Short: "Let somebody in: give an account a key",
		Long: "Write the key file of an account, which makes the account. It counts at once.\n" +
			"KEY is a file, or the key itself in quotes; without it, the key comes from stdin.\n\n" +
			"With --invite there is no KEY: a key is made, for an account that can only put\n" +
			"files, for a few days. What is printed is for the one who is invited.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 || a.invite && len(args) > 1 {
				return arguments.Mistake{Err: errors.New("shelfd add takes the name of an account, and its public key or --invite"), Command: c}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if a.invite {
				return a.inviteOne(args[0], c.OutOrStdout())
			}
			return a.addKey(args[0], args[1:], c.InOrStdin(), c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&a.config, "config", "", "the `file` of the server's settings (default "+systemConfig+" for root)")
	f.BoolVar(&a.more, "append", false, "one more key for an account that has some")
	f.BoolVar(&a.invite, "invite", false, "make a key, for an account that can only put files")
	f.DurationVar(&a.expires, "expires", 72*time.Hour, "the `time` for which an invitation is good")
	f.StringVar(&a.host, "host", "", "the `name` that others reach this machine by (default its own)")
	return c
}

// settings are those of the server, which has key files.
func (a *adding) settings() (s config.Settings, err error) {
	if a.config == "" {
		if a.config, err = usualConfig(); err != nil {
			return s, err
		}
	}
	return load(a.config)
}

func (a *adding) addKey(account string, key []string, stdin io.Reader, out io.Writer) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	lines, err := readKey(key, stdin)
	if err != nil {
		return err
	}
	path, err := writeKeyFile(s, account, lines, a.more)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is the key of account %s, in %s.\n", fingerprintOf(lines), account, path)
	if _, ok := s.Accounts[account]; !ok {
		fmt.Fprintln(out, "It can log in now; no reload is needed. It may do what [file_accounts] says.")
	}
	printConnect(out, connection{s, account, a.host, ""})
	return nil
}

// readKey reads a public key: from a file, the argument itself, or stdin.
func readKey(arg []string, stdin io.Reader) ([]byte, error) {
	switch {
	case len(arg) == 0:
		return io.ReadAll(io.LimitReader(stdin, 64<<10))
	case strings.Contains(arg[0], " "): // no name of a type of key has one
		return []byte(arg[0] + "\n"), nil
	}
	return os.ReadFile(arg[0])
}

// writeKeyFile writes the key file of an account. The keys in it have to be usable.
func writeKeyFile(s config.Settings, account string, lines []byte, more bool) (path string, err error) {
	if s.KeyFiles() == "" {
		return "", fmt.Errorf("%s has no folder of key files: set authorized_keys_file = \"keys/%%u\" in it, and make the folder keys beside it", s.File)
	}
	if err := keys.CheckFileName(account); err != nil {
		return "", fmt.Errorf("account: %w", err)
	}
	path = keys.ExpandUser(s.KeyFiles(), account)
	before, err := os.ReadFile(path)
	switch {
	case err == nil && !more:
		return "", fmt.Errorf("account %s has keys already, in %s; --append gives it one more", account, path)
	case err == nil:
		lines = append(append(bytes.TrimRight(before, "\n"), '\n'), lines...)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := usable(lines); err != nil {
		return "", err
	}
	if err := writeFile(path, lines); err != nil {
		return "", fmt.Errorf("write the key file: %w", err)
	}
	return path, nil
}

// usable refuses lines of which not one is a key that could log in.
func usable(lines []byte) error {
	folder, err := os.MkdirTemp("", "shelfd-add-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "the key")
	if err := os.WriteFile(file, lines, 0o600); err != nil {
		return err
	}
	if err := keys.NewAuthorizedKeys(file, nil).Check(); err != nil {
		return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), file, "the key"))
	}
	return nil
}

// fingerprintOf is that of the last key in some lines.
func fingerprintOf(lines []byte) string {
	last := "no key"
	for line := range bytes.Lines(lines) {
		if key, _, _, _, err := ssh.ParseAuthorizedKey(line); err == nil {
			last = ssh.FingerprintSHA256(key)
		}
	}
	return last
}
