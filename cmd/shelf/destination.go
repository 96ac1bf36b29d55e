package main

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// defaultPort is where shelfd listens unless told otherwise. Where nothing else
// is said, a URL means the port of SSH.
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
	url  bool
}

// usualPort is that where nobody says another.
func (d destination) usualPort() int {
	if d.url {
		return sshPort
	}
	return defaultPort
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
	if scheme, rest, is := strings.Cut(s, "://"); is {
		return d, usageErrorf("%s is no URL of files over SSH; write sftp://%s", printable(scheme+"://"+rest), printable(rest))
	}
	host := s
	if i := strings.LastIndex(s, "@"); i >= 0 {
		d.user, host = s[:i], s[i+1:]
		if d.user == "" {
			host = ""
		}
	}
	switch h, p, err := net.SplitHostPort(host); {
	case err != nil: // no port
	case p == "":
		host = ""
	case strings.Trim(p, "0123456789") != "":
		return d, usageErrorf("%s is no port; to get that file: shelf %s get %s", printable(p), printable(strings.TrimSuffix(s, ":"+p)), printable(p))
	default:
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
	d := destination{user: u.User.Username(), host: u.Hostname(), path: strings.TrimPrefix(u.Path, "/"), url: true}
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

// portFlag is the flag of a port. It has none that is 0, which would mean that
// the flag was not given.
type portFlag int

// Set implements [pflag.Value].
func (p *portFlag) Set(s string) error {
	n, err := parsePort(s)
	*p = portFlag(n)
	return err
}

// String implements [pflag.Value].
func (p *portFlag) String() string { return strconv.Itoa(int(*p)) }

// Type implements [pflag.Value].
func (p *portFlag) Type() string { return "port" }
