package main

import (
	"net"
	"os/user"
	"strconv"
	"strings"
)

// defaultPort is where shelfd listens unless told otherwise.
const defaultPort = 2222

// destination is who to be, and where.
type destination struct{ user, addr string }

func (d destination) String() string { return d.user + "@" + d.addr }

// parseDestination reads [user@]host[:port]. An IPv6 address that a port
// follows is in brackets.
func parseDestination(s string, port int) (destination, error) {
	var d destination
	host := s
	if i := strings.LastIndex(s, "@"); i >= 0 {
		d.user, host = s[:i], s[i+1:]
	} else if u, err := user.Current(); err == nil {
		d.user = u.Username
	}
	p := strconv.Itoa(port)
	if h, q, err := net.SplitHostPort(host); err == nil {
		host, p = h, q
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if host == "" || d.user == "" {
		return d, usageErrorf("%s is no destination; write [user@]host[:port]", printable(s))
	}
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return d, usageErrorf("port %s is not a number from 1 to 65535", printable(p))
	}
	d.addr = net.JoinHostPort(host, p)
	return d, nil
}
