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

// loginLimit bounds the wait for a server, but for the time that a person takes
// to answer.
const loginLimit = 30 * time.Second

// dialer makes connections as flags and configuration say.
type dialer struct {
	*ui
	options options
	config  sshConfig
	limit   time.Duration // of each login
}

func newDialer(o options, config sshConfig) *dialer {
	return &dialer{o.ui, o, config, loginLimit}
}

// dial logs in to a server, by way of others if there is no direct one.
func (d *dialer) dial(ctx context.Context, to target) (client *ssh.Client, err error) {
	way, err := d.route(to)
	if err != nil {
		return nil, err
	}
	open := (&net.Dialer{}).DialContext
	for i, next := range way {
		if i < len(way)-1 {
			d.detailf("shelf: by way of %s", printable(next.String()))
		}
		if client, err = d.login(ctx, next, open); err != nil {
			return nil, err
		}
		open = through(client)
	}
	return client, nil
}

// login shakes hands and logs in.
func (d *dialer) login(ctx context.Context, to target, open opener) (*ssh.Client, error) {
	clock := startClock(ctx, d.limit)
	defer clock.stop()
	direct, err := open(clock, "tcp", to.addr)
	if err != nil {
		return nil, loginError(ctx, to, clock.explain(err))
	}
	nc := newOutbox(direct)
	defer context.AfterFunc(clock, func() { nc.Close() })()
	client, err := d.handshake(nc, to, clock.pause)
	if err != nil {
		nc.Close()
		return nil, loginError(ctx, to, clock.explain(err))
	}
	return client, nil
}

func (d *dialer) handshake(nc net.Conn, to target, pause func() (resume func())) (*ssh.Client, error) {
	hosts, err := openHosts(d.ui, to, pause)
	if err != nil {
		return nil, err
	}
	conn, channels, requests, err := ssh.NewClientConn(nc, to.addr, &ssh.ClientConfig{
		User:              to.user,
		Auth:              (&auth{ui: d.ui, to: to, pause: pause}).methods(),
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: hosts.algorithms(to.addr),
		BannerCallback:    d.banner(),
	})
	if err != nil {
		return nil, err
	}
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

func loginError(ctx context.Context, to target, err error) error {
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
