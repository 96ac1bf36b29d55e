package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/term"
)

// options are the flags.
type options struct {
	port       int
	identity   string
	acceptNew  bool
	knownHosts string
}

// destination is who to be and where.
type destination struct{ user, addr string }

// parseDestination reads [user@]host[:port]; an IPv6 address with a port is in
// brackets.
func parseDestination(s string, port int) (destination, error) {
	var d destination
	if i := strings.LastIndex(s, "@"); i >= 0 {
		d.user, s = s[:i], s[i+1:]
	} else if u, err := user.Current(); err == nil {
		d.user = u.Username
	}
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		host, p = strings.Trim(s, "[]"), strconv.Itoa(port)
	}
	if host == "" || d.user == "" {
		return d, fmt.Errorf("%q is no destination; write [user@]host[:port]", s)
	}
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return d, fmt.Errorf("port %q is not a number from 1 to 65535", p)
	}
	d.addr = net.JoinHostPort(host, p)
	return d, nil
}

// connection is one SFTP session.
type connection struct {
	*sftp.Client
	ssh *ssh.Client
	to  destination
}

// Close ends the session and the connection.
func (c *connection) Close() error { return c.ssh.Close() }

func connect(o options, to destination) (*connection, error) {
	hosts, err := openHosts(o)
	if err != nil {
		return nil, &exitError{exitHostKey, err}
	}
	client, err := ssh.Dial("tcp", to.addr, &ssh.ClientConfig{
		User:              to.user,
		Auth:              authMethods(o, to),
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: hosts.db.HostKeyAlgorithms(to.addr),
		BannerCallback: func(m string) error {
			for line := range strings.Lines(m) {
				fmt.Fprintln(os.Stderr, printable(strings.TrimRight(line, "\r\n")))
			}
			return nil
		},
		Timeout: 30 * time.Second,
	})
	if err != nil {
		return nil, dialError(to, err)
	}
	c, err := sftp.NewClient(client, sftp.UseConcurrentReads(true), sftp.MaxConcurrentRequestsPerFile(64))
	if err != nil {
		client.Close()
		return nil, &exitError{exitConnect, fmt.Errorf("%s offers no sftp: %w", to.addr, err)}
	}
	return &connection{c, client, to}, nil
}

func dialError(to destination, err error) error {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return &exitError{exitRefused, fmt.Errorf("%s does not let %s in; try another key with -i", to.addr, to.user)}
	}
	return &exitError{exitConnect, fmt.Errorf("connect to %s: %w", to.addr, err)}
}

// authMethods are the agent and key files, then a password.
func authMethods(o options, to destination) []ssh.AuthMethod {
	methods := []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return signers(o), nil })}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		methods = append(methods, ssh.PasswordCallback(func() (string, error) {
			return askSecret(fmt.Sprintf("%s@%s's password: ", to.user, to.addr))
		}))
	}
	return methods
}

// signers are the keys to try: the one given, or the agent's and the usual.
func signers(o options) []ssh.Signer {
	var all []ssh.Signer
	if o.identity != "" {
		return appendKey(all, o.identity, true)
	}
	if sock := os.Getenv("SSH_AUTH_SOCK"); sock != "" {
		if c, err := net.Dial("unix", sock); err == nil {
			if held, err := agent.NewClient(c).Signers(); err == nil {
				all = held
			}
		}
	}
	home, _ := os.UserHomeDir()
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		all = appendKey(all, filepath.Join(home, ".ssh", name), false)
	}
	return all
}

// appendKey adds a key file. One that was asked for and cannot be read is said.
func appendKey(all []ssh.Signer, file string, asked bool) []ssh.Signer {
	pem, err := os.ReadFile(file)
	var key ssh.Signer
	if err == nil {
		key, err = ssh.ParsePrivateKey(pem)
	}
	if locked := (*ssh.PassphraseMissingError)(nil); errors.As(err, &locked) && term.IsTerminal(int(os.Stdin.Fd())) {
		var secret string
		if secret, err = askSecret("passphrase of " + file + ": "); err == nil {
			key, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(secret))
		}
	}
	if err != nil {
		if asked {
			fmt.Fprintf(os.Stderr, "shelf: key %s is not used: %v\n", file, err)
		}
		return all
	}
	return append(all, key)
}

func askSecret(prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	return string(b), err
}

// hosts are the host keys that are trusted.
type hosts struct {
	db        *knownhosts.HostKeyDB
	file      string
	acceptNew bool
}

func openHosts(o options) (*hosts, error) {
	file := o.knownHosts
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("no home folder for known_hosts: %w; give --known-hosts FILE", err)
		}
		file = filepath.Join(home, ".ssh", "known_hosts")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := knownhosts.NewDB(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return &hosts{db, file, o.acceptNew}, nil
}

// check is the ssh.HostKeyCallback: a known key passes, a changed one never
// does, an unknown one is asked about and recorded.
func (h *hosts) check(host string, addr net.Addr, key ssh.PublicKey) error {
	err := h.db.HostKeyCallback()(host, addr, key)
	print := ssh.FingerprintSHA256(key)
	switch {
	case err == nil:
		return nil
	case knownhosts.IsHostKeyChanged(err):
		return &exitError{exitHostKey, fmt.Errorf("the key of %s has CHANGED to %s: somebody may be in between. "+
			"If the server was given a new key, remove its old line from %s", host, print, h.file)}
	case !knownhosts.IsHostUnknown(err):
		return &exitError{exitHostKey, err}
	case !h.acceptNew:
		if err := askHost(host, print); err != nil {
			return &exitError{exitHostKey, err}
		}
	}
	return h.record(host, addr, key)
}

func askHost(host, print string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return fmt.Errorf("the key of %s, %s, is not known; connect once from a terminal or give --accept-new", host, print)
	}
	fmt.Fprintf(os.Stderr, "The key of %s is not known: %s\nTrust it? (yes/no) ", host, print)
	answer, _ := bufio.NewReader(io.LimitReader(os.Stdin, 16)).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("the host's key is not trusted")
	}
	return nil
}

func (h *hosts) record(host string, addr net.Addr, key ssh.PublicKey) error {
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return &exitError{exitHostKey, err}
	}
	defer f.Close()
	return knownhosts.WriteKnownHost(f, host, addr, key)
}
