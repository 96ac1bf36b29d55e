package install

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// inviteOne makes an account that can only put files, until it expires, and a key for
// it that is nowhere but in what is printed. The account is a table of the
// configuration, and the key is in it: a key file alone would make an account with
// other rights.
func (a *adding) inviteOne(account string, out io.Writer) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	if err := keys.CheckFileName(account); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	if _, ok := s.Accounts[account]; ok {
		return fmt.Errorf("there is an account %s already; take another name for the invitation", account)
	}
	if s.KeyFiles() != "" {
		if file := keys.ExpandUser(s.KeyFiles(), account); exists(file) {
			return fmt.Errorf("there is an account %s already, by %s; take another name for the invitation", account, file)
		}
	}
	private, public, err := newKey(account)
	if err != nil {
		return err
	}
	until := time.Now().Add(a.expires).UTC().Truncate(time.Second)
	if err := appendTable(s.File, account, public, until); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has a new account, %s, which can put files until %s, and do nothing else.\n"+
		"It counts after a reload: %s\n"+
		"To take it back, remove [accounts.%s] and reload.\n\n"+
		"Send this, and nothing else, to the one who is invited. Whoever has it can put files.\n", s.File, account, until.Format(time.RFC3339), reload(s.File), quoteKey(account))
	printInvitation(out, connection{s, account, a.host, account + ".key"}, private)
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// newKey makes a key pair: the private one in OpenSSH's format, the public one as a
// line of a key file.
func newKey(comment string) (private []byte, public string, err error) {
	folder, err := os.MkdirTemp("", "shelfd-invite-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "key")
	key, err := keys.Generate(file, comment)
	if err != nil {
		return nil, "", err
	}
	private, err = os.ReadFile(file)
	return private, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment, err
}

// appendTable adds the table of an account to a configuration. The file is
// replaced only if it is still one without a mistake.
func appendTable(file, account, public string, until time.Time) error {
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	table := fmt.Sprintf("\n[accounts.%s]\npermissions = [\"dropbox\"]\nauthorized_keys = [%s]\nexpires = %s\n",
		quoteKey(account), quote(public), until.Format(time.RFC3339))
	after := append(append(bytes.TrimRight(before, "\n"), '\n'), table...)
	trial := filepath.Join(filepath.Dir(file), ".shelfd-add-"+filepath.Base(file))
	if err := os.WriteFile(trial, after, 0o600); err != nil {
		return err
	}
	defer os.Remove(trial)
	if _, err := load(trial); err != nil {
		return fmt.Errorf("%s can't be extended: %s", file, strings.ReplaceAll(err.Error(), trial, file))
	}
	return writeFile(file, after)
}

// quoteKey writes the name of an account as a key of TOML.
func quoteKey(name string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(name) {
		return name
	}
	return quote(name)
}

// printInvitation writes commands for a shell that save the key and put a file.
func printInvitation(out io.Writer, c connection, private []byte) {
	sftp, shelf := c.commands()
	fmt.Fprintf(out, "\n(umask 077; cat > %s) <<'END'\n%sEND\n\n%s\n", shellquote.Join(c.key), private, shellquote.Join(sftp...))
	fmt.Fprintf(out, "\nor, with shelf:\n\n%s put FILE\n", shellquote.Join(shelf...))
	printHostKey(out, c)
}
