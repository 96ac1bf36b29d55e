package connect

import (
	"context"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxJumps is through how many servers a way may lead; more is taken for a circle.
const maxJumps = 8

// route is the way to a server: the servers to go through (ProxyJump), and the
// server itself. As with ssh, the first of them may need others before it.
func (d *dialer) route(to target) ([]target, error) {
	way := []target{to}
	for len(way[0].jumps) > 0 {
		var before []target
		for i, name := range way[0].jumps {
			jump, err := d.jump(name, i == 0)
			if err != nil {
				return nil, err
			}
			before = append(before, jump)
		}
		if way = append(before, way...); len(way) > maxJumps+1 {
			return nil, usageErrorf("the way to %s leads through more than %d servers; is there a circle in the ProxyJump lines of ssh_config?", to.addr, maxJumps)
		}
	}
	return way, nil
}

// jump finds out what the name of a server to go through means. The flags are about
// the last server only. Only the first one may itself need others before it.
func (d *dialer) jump(name string, first bool) (target, error) {
	by, err := parseDestination(strings.TrimSpace(name))
	if err != nil {
		return target{}, err
	}
	o := d.Options
	o.Port, o.Identities, o.Jump = 0, nil, ""
	if !first {
		o.Jump = "none"
	}
	return d.config.resolve(by, o, sshPort)
}

// opener opens a connection to an address.
type opener func(ctx context.Context, network, addr string) (net.Conn, error)

// through opens a connection by way of a server, one only. When that ends, or cannot
// be opened, the connection to the server is closed as well.
func through(by *ssh.Client) opener {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := by.DialContext(ctx, network, addr)
		if err != nil {
			by.Close()
			return nil, err
		}
		return &hop{c, by}, nil
	}
}

// hop is a connection through a server.
type hop struct {
	net.Conn
	by *ssh.Client
}

// Close implements [net.Conn]. It closes the connection to the server on the way,
// since to close only the channel in it could take for ever.
func (h *hop) Close() error { return h.by.Close() }
