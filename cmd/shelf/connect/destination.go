package connect

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// DefaultPort is where shelfd listens by default. A URL without a port means the
// port of SSH.
const (
	DefaultPort = 2222
	sshPort     = 22
)

// destination is a server as a person writes it.
type destination struct {
	user string // "" if it is not given
	host string
	port int    // 0 if it is not given
	path string // of a URL: a file, or the folder to work in
	url  bool
}

// usualPort is the port if none is given.
func (d destination) usualPort() int {
	if d.url {
		return sshPort
	}
	return DefaultPort
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
// An IPv6 address before a port is in brackets.
func parseDestination(s string) (d destination, err error) {
	if strings.HasPrefix(s, "sftp://") {
		return parseURL(s)
	}
	if scheme, rest, is := strings.Cut(s, "://"); is {
		return d, usageErrorf("%s is not a URL of SFTP; write sftp://%s", scheme+"://"+rest, rest)
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
		return d, usageErrorf("%s is not a port; to get a file of that name: shelf %s get %s", p, strings.TrimSuffix(s, ":"+p), p)
	default:
		host = h
		if d.port, err = ParsePort(p); err != nil {
			return d, err
		}
	}
	d.host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if d.host == "" || strings.HasPrefix(d.host, "-") {
		return d, usageErrorf("%s is not a server; write [user@]host[:port]", s)
	}
	return d, nil
}

// parseURL reads a URL (draft-ietf-secsh-scp-sftp-ssh-uri). Its path starts at the
// folder where the server puts us, as also with ~/; with a second slash it starts at
// the root.
func parseURL(s string) (destination, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return destination{}, usageErrorf("%s is not a URL of a server; write sftp://[user@]host[:port][/name]", s)
	}
	if _, secret := u.User.Password(); secret {
		return destination{}, usageErrorf("others can read a password in a URL; leave it out and you are asked for it")
	}
	d := destination{user: u.User.Username(), host: u.Hostname(), path: strings.TrimPrefix(strings.TrimPrefix(u.Path, "/"), "~/"), url: true}
	if p := u.Port(); p != "" {
		d.port, err = ParsePort(p)
	}
	return d, err
}

// ParsePort reads the number of a port.
func ParsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, usageErrorf("port %s is not a number from 1 to 65535", s)
	}
	return n, nil
}
