package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/crypto/ssh"
)

// announce is the one line that tells how to connect, with commands that work
// when they are pasted on this machine.
func announce(s settings, at net.Addr, hostKey ssh.PublicKey) string {
	host, port := connectTo(at)
	login := s.User + "@" + host
	return fmt.Sprintf("Serving %s on %s (host key %s). Connect with: sftp -P %s %s  or: shelf -p %s %s",
		s.Library, at, ssh.FingerprintSHA256(hostKey), port, login, port, login)
}

// connectTo is the host and port to connect to. A server that listens on all
// addresses is reached from here by those of the loopback.
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
