package install

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/kballard/go-shellquote"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"shelf/cmd/shelfd/config"
)

// hostKeyFile is the host key that most clients show, in the state folder.
const hostKeyFile = "ssh_host_ed25519_key"

// connection is what the commands that are printed connect to.
type connection struct {
	config.Settings
	account string
	host    string // "" is the name of this machine
	key     string // file of the private key; "" is a usual one
}

// address is the host and the port that others connect to.
func (c connection) address() (host, port string) {
	at, port, _ := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(at); at == "" || ip != nil && ip.IsUnspecified() {
		at, _ = os.Hostname()
	}
	return cmp.Or(c.host, at, "localhost"), port
}

// commands are those of stock sftp and of shelf.
func (c connection) commands() (sftp, shelf []string) {
	host, port := c.address()
	var identity []string
	if c.key != "" {
		identity = []string{"-i", c.key}
	}
	one := func(program, flag string) []string {
		return append(append([]string{program}, identity...), flag, port, c.account+"@"+host)
	}
	return one("sftp", "-P"), one("shelf", "-p")
}

// printConnect writes how to connect, and how a client knows the server.
func printConnect(out io.Writer, c connection) {
	sftp, shelf := c.commands()
	fmt.Fprintf(out, "\nConnect with:\n\n    %s\n    %s\n", shellquote.Join(sftp...), shellquote.Join(shelf...))
	printHostKey(out, c)
}

// printHostKey writes that key as ssh shows it, and as a line of known_hosts. It is left out if it can't be read, as by another user.
func printHostKey(out io.Writer, c connection) {
	content, err := os.ReadFile(filepath.Join(c.State, hostKeyFile))
	if err != nil {
		return
	}
	private, err := ssh.ParsePrivateKey(content)
	if err != nil {
		return
	}
	key := private.PublicKey()
	line := knownhosts.Line([]string{net.JoinHostPort(c.address())}, key)
	fmt.Fprintf(out, "\nThe server is known by %s. For known_hosts:\n\n    %s\n", ssh.FingerprintSHA256(key), line)
}
