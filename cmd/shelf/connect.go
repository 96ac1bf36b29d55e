package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// dialTimeout bounds the wait for a server, login included but for the time
// that a person takes to answer.
const dialTimeout = 30 * time.Second

// dialer makes connections as flags and configuration say.
type dialer struct {
	*ui
	options options
	config  sshConfig
}

// dial logs in to a server, by way of others if there is no direct one.
func (d *dialer) dial(ctx context.Context, to target) (*ssh.Client, error) {
	tcp := net.Dialer{Timeout: dialTimeout}
	open := tcp.DialContext
	var last *ssh.Client
	for _, jump := range to.jumps {
		next, err := d.jump(ctx, jump, open)
		if err != nil {
			if last != nil {
				last.Close()
			}
			return nil, err
		}
		last, open = next, next.DialContext
	}
	client, err := d.login(ctx, to, open)
	if last != nil {
		if err != nil {
			last.Close()
		} else {
			go func() { client.Wait(); last.Close() }()
		}
	}
	return client, err
}

// jump logs in to a server that the way leads by (ProxyJump).
func (d *dialer) jump(ctx context.Context, name string, open opener) (*ssh.Client, error) {
	by, err := parseDestination(strings.TrimSpace(name))
	if err != nil {
		return nil, err
	}
	o := d.options
	o.user, o.port, o.identities, o.jump = "", 0, nil, ""
	to, err := d.config.resolve(by, o, sshPort)
	if err != nil {
		return nil, err
	}
	d.detailf("shelf: by way of %s", printable(to.String()))
	return d.login(ctx, to, open)
}

// opener opens a connection to an address.
type opener func(ctx context.Context, network, addr string) (net.Conn, error)

// login shakes hands and logs in.
func (d *dialer) login(ctx context.Context, to target, open opener) (*ssh.Client, error) {
	direct, err := open(ctx, "tcp", to.addr)
	if err != nil {
		return nil, &exitError{exitConnect, fmt.Errorf("no connection to %s: %w", to.addr, err)}
	}
	nc := newOutbox(direct)
	start := func() { nc.SetDeadline(time.Now().Add(dialTimeout)) }
	pause := func() func() { nc.SetDeadline(time.Time{}); return start }
	hosts, err := openHosts(d.ui, to, pause)
	if err != nil {
		nc.Close()
		return nil, err
	}
	start()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	conn, channels, requests, err := ssh.NewClientConn(nc, to.addr, &ssh.ClientConfig{
		User:              to.user,
		Auth:              (&auth{ui: d.ui, to: to, pause: pause}).methods(),
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: hosts.algorithms(to.addr),
		BannerCallback:    d.banner(),
	})
	if err != nil {
		nc.Close()
		return nil, handshakeError(ctx, to, err)
	}
	nc.SetDeadline(time.Time{})
	return ssh.NewClient(conn, channels, requests), nil
}

// banner shows what a server says before the login, up to a length.
func (d *dialer) banner() ssh.BannerCallback {
	left := 16 << 10 // bytes
	return func(text string) error {
		if left -= len(text) + 1; left < 0 {
			return errors.New("its banner has no end")
		}
		for line := range strings.Lines(text) {
			d.warnf("%s", printable(strings.TrimRight(line, "\r\n")))
		}
		return nil
	}
}

func handshakeError(ctx context.Context, to target, err error) error {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e
	}
	if ctx.Err() != nil || errors.Is(err, errInterrupted) {
		return errInterrupted
	}
	// x/crypto has no error of its own for this on the client's side.
	if strings.Contains(err.Error(), "unable to authenticate") {
		return &exitError{exitRefused, fmt.Errorf("%s does not let %s in with the keys and passwords given; -i names a key", to.addr, printable(to.user))}
	}
	return &exitError{exitConnect, fmt.Errorf("no connection to %s: %s", to.addr, printable(err.Error()))}
}
