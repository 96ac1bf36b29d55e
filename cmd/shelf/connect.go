package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
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
	open := (&net.Dialer{Timeout: d.limit}).DialContext // which it divides among the addresses
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
	client, err := d.handshake(clock, nc, to)
	if err != nil {
		nc.Close()
		return nil, loginError(ctx, to, clock.explain(err))
	}
	return client, nil
}

func (d *dialer) handshake(clock *clock, nc net.Conn, to target) (*ssh.Client, error) {
	hosts, err := openHosts(d.ui, to, clock.pause)
	if err != nil {
		return nil, err
	}
	auth := newAuth(d.ui, to, clock.pause)
	defer auth.close()
	defer context.AfterFunc(clock, auth.close)() // an agent can be silent, too
	conn, channels, requests, err := ssh.NewClientConn(nc, to.addr, &ssh.ClientConfig{
		ClientVersion:     clientVersion(),
		User:              to.user,
		Auth:              auth.methods(),
		AuthCallback:      auth.next,
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: hosts.algorithms(to.addr),
		BannerCallback:    auth.hear,
	})
	if err != nil && hosts.trusted != nil && clock.Err() == nil {
		err = auth.explain(err)
	}
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(conn, channels, hosts.learn(conn, requests)), nil
}

// clientVersion tells servers who we are (RFC 4253, section 4.2), in whose logs
// a Go program could be any. There a version has neither spaces nor dashes.
func clientVersion() string {
	const name = "SSH-2.0-shelf"
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return name
	}
	return name + "_" + strings.ReplaceAll(info.Main.Version, "-", "_")
}

func loginError(ctx context.Context, to target, err error) error {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e
	}
	if ctx.Err() != nil || errors.Is(err, errInterrupted) {
		return errInterrupted
	}
	return &exitError{exitConnect, fmt.Errorf("no connection to %s: %s", to.addr, printable(err.Error()))}
}
