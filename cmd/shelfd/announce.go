package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
)

// announce writes the line that says how to connect. Its commands work when they
// are pasted into the shell that the server was started from.
func announce(s config.Settings, at net.Addr, hostKeys []ssh.Signer, out io.Writer) {
	host, port := connectTo(at)
	var identity []string
	if key := identityBeside(s.GivenKeys); key != "" {
		identity = []string{"-i", key}
	}
	command := func(program, portFlag string) string {
		account := s.User
		if s.ManyAccounts() {
			account = "ACCOUNT"
		}
		return shellquote.Join(append(slices.Concat([]string{program}, identity), portFlag, port, account+"@"+host)...)
	}
	var paths []string
	for _, l := range s.AllLibraries() {
		paths = append(paths, l.Where())
	}
	slices.Sort(paths)
	key, stock, shelf := identify(hostKeys, s.FIPS), command("sftp", "-P"), command(clientBeside(os.Args[0]), "-p")
	if s.LogFormat.JSON {
		logging.New(out, s.LogFormat, slog.LevelInfo).Info("serving", "listen", at.String(), "libraries", paths, "host_key", key, "connect", stock)
		return
	}
	fmt.Fprintf(out, "Serving %s on %s (%s). Connect with: %s  or: %s\n", strings.Join(paths, ", "), at, key, stock, shelf)
}

// identify names the host key that most clients show: Ed25519, which the others
// are only for clients without, or with FIPS the first of those. Of a certificate
// it is the key. "shelfd hostkey" lists all.
func identify(hostKeys []ssh.Signer, fips bool) string {
	for _, signer := range hostKeys {
		key := signer.PublicKey()
		if cert, ok := key.(*ssh.Certificate); ok {
			key = cert.Key
		}
		if !fips || key.Type() != ssh.KeyAlgoED25519 {
			return "host key " + key.Type() + " " + ssh.FingerprintSHA256(key)
		}
	}
	return "no host key"
}

// identityBeside is the private key of a file of authorized keys, if it lies
// beside it as ssh-keygen puts it; "" is none. Then clients try their usual keys.
func identityBeside(authorizedKeys string) string {
	key, is := strings.CutSuffix(authorizedKeys, ".pub")
	if _, err := os.Stat(key); !is || err != nil {
		return ""
	}
	return key
}

// clientBeside is how to start the client: by its path, if the server was started
// by a path and the client lies beside it, or else by its name.
func clientBeside(server string) string {
	const name = "shelf"
	if !strings.ContainsRune(server, filepath.Separator) {
		return name
	}
	client := filepath.Join(filepath.Dir(server), name)
	if _, err := os.Stat(client); err != nil {
		return name
	}
	if !strings.ContainsRune(client, filepath.Separator) {
		return "./" + client
	}
	return client
}

// connectTo is the host and port to connect to from this machine: for a server
// that listens on all addresses, a loopback address.
func connectTo(at net.Addr) (host, port string) {
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return at.String(), ""
	}
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil:
	case address.IsUnspecified() && address.Is4():
		return "127.0.0.1", port
	case address.IsUnspecified():
		return "localhost", port
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host, port
}
