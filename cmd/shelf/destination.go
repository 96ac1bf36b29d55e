package main

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// defaultPort is where shelfd listens unless told otherwise. A URL without a
// port means the port of SSH.
const (
	defaultPort = 2222
	sshPort     = 22
)

// destination is whom to connect to, as a person writes it.
type destination struct {
	user string // "" if it is not said
	host string
	port int    // 0 if it is not said
	path string // of a URL: a file, or the folder to work in
}

func (d destination) String() string {
	host := d.host
	if d.port != 0 {
		host = net.JoinHostPort(host, strconv.Itoa(d.port))
	}
	if d.user == "" {
		return host
	}
	return d.user + "@" + host
}

// parseDestination reads [user@]host[:port] or sftp://[user@]host[:port][/name].
// An IPv6 address that a port follows is in brackets.
func parseDestination(s string) (d destination, err error) {
	if strings.HasPrefix(s, "sftp://") {
		return parseURL(s)
	}
	host := s
	if i := strings.LastIndex(s, "@"); i >= 0 {
		d.user, host = s[:i], s[i+1:]
		if d.user == "" {
			host = ""
		}
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		host = h
		if d.port, err = parsePort(p); err != nil {
			return d, err
		}
	}
	d.host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if d.host == "" || strings.HasPrefix(d.host, "-") {
		return d, usageErrorf("%s is no destination; write [user@]host[:port]", printable(s))
	}
	return d, nil
}

// parseURL reads a URL (draft-ietf-secsh-scp-sftp-ssh-uri). Its path starts where
// the server puts us; after a second slash it starts at the server's root.
func parseURL(s string) (destination, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return destination{}, usageErrorf("%s is no URL of a server; write sftp://[user@]host[:port][/name]", printable(s))
	}
	if _, secret := u.User.Password(); secret {
		return destination{}, usageErrorf("a password in a URL can be read by others; leave it out, and you are asked")
	}
	d := destination{user: u.User.Username(), host: u.Hostname(), port: sshPort, path: strings.TrimPrefix(u.Path, "/")}
	if p := u.Port(); p != "" {
		d.port, err = parsePort(p)
	}
	return d, err
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, usageErrorf("port %s is not a number from 1 to 65535", printable(s))
	}
	return n, nil
}
