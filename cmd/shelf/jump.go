package main

import (
	"context"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxJumps is how many servers a way leads by at most; more are a circle.
const maxJumps = 8

// route is the way to a server: those that it leads by (ProxyJump), and itself.
// Like ssh we also go by way of those that the first of them needs.
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
			return nil, usageErrorf("the way to %s leads by more than %d servers; is there a circle in ssh_config's ProxyJump?", printable(to.addr), maxJumps)
		}
	}
	return way, nil
}

// jump finds out what the name of a server to go by stands for. The flags are
// about where the way ends. How it is reached counts only if it is the first.
func (d *dialer) jump(name string, first bool) (target, error) {
	by, err := parseDestination(strings.TrimSpace(name))
	if err != nil {
		return target{}, err
	}
	o := d.options
	o.user, o.port, o.identities, o.jump = "", 0, nil, ""
	if !first {
		o.jump = "none"
	}
	return d.config.resolve(by, o, sshPort)
}

// opener opens a connection to an address.
type opener func(ctx context.Context, network, addr string) (net.Conn, error)

// through opens connections by way of a server, and for one only: when that
// ends, or there is none, so does the connection to the server.
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

type hop struct {
	net.Conn
	by *ssh.Client
}

// Close implements [net.Conn]. It leaves the server that we came by; to close
// the channel in it could take for ever.
func (h *hop) Close() error { return h.by.Close() }
