// Package connect finds the server that a person means and logs in to it.
//
//	connect.go      the way in: Find, and Dial with the handshake
//	destination.go  what a person writes: user@host:port, or a URL
//	target.go       what that means, with flags and ssh_config
//	sshconfig.go    reads files of ssh_config(5)
//	jump.go         servers to go through (ProxyJump)
//	clock.go        how long a login may take
//	login.go        the methods of a login: keys, passwords, questions
//	identity.go     which keys are tried; locked.go: those with a passphrase;
//	                owner_*.go: whose is a file?
//	refusal.go      why a server does not let a person in
//	hostkeys.go     which host keys are trusted
//	learn.go        further keys that a trusted host announces
//	outbox.go       sends in larger pieces
//	error.go        what kind of error it was
//	person.go       who is asked meanwhile
//
// It imports no other package of the client: it hands over an SSH connection, and
// talks to the person through [UI].
package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// LoginTime bounds the wait for a server to log a person in, without the time that
// the person takes to answer questions.
const LoginTime = 30 * time.Second

// Options are what the flags say about connecting.
type Options struct {
	UI         UI
	Port       int      // 0 if it is not given
	Identities []string // files of private keys
	AcceptNew  bool     // trust the key of a new host without asking
	KnownHosts string   // a file, instead of the usual ones
	Config     string   // a file instead of ~/.ssh/config, or none
	Jump       string   // servers to go through, with commas between
	LoginTime  time.Duration
	Version    string // of this program, for the logs of servers
}

// Server is a server to connect to, found out from what a person wrote.
type Server struct {
	Path   string // of a URL: a file, or the folder to work in
	to     target
	dialer *dialer
}

// Find finds out which server is meant, and how to get there.
func Find(o Options, where string) (*Server, error) {
	d, err := parseDestination(where)
	if err != nil {
		return nil, err
	}
	config, err := readSSHConfig(o.UI, o.Config)
	if err != nil {
		return nil, err
	}
	to, err := config.resolve(d, o, d.usualPort())
	if err != nil {
		return nil, err
	}
	return &Server{d.path, to, &dialer{o, config}}, nil
}

// String is the server as user@host:port.
func (s *Server) String() string { return s.to.String() }

// Addr is the server as host:port.
func (s *Server) Addr() string { return s.to.addr }

// Dial connects and logs in.
func (s *Server) Dial(ctx context.Context) (*ssh.Client, error) {
	client, err := s.dialer.dial(ctx, s.to)
	if err != nil {
		return nil, err
	}
	key := "of an unknown kind"
	if m, ok := client.Conn.(ssh.AlgorithmsConnMetadata); ok {
		key = m.Algorithms().HostKey
	}
	s.dialer.UI.Detailf("shelf: connected to %s at %s, which is %s; its host key is %s",
		s, client.RemoteAddr(), string(client.ServerVersion()), key)
	return client, nil
}

// dialer makes connections as flags and configuration say.
type dialer struct {
	Options
	config sshConfig
}

// dial logs in to a server, through others if there is no direct way.
func (d *dialer) dial(ctx context.Context, to target) (client *ssh.Client, err error) {
	way, err := d.route(to)
	if err != nil {
		return nil, err
	}
	open := (&net.Dialer{Timeout: d.LoginTime}).DialContext // shared by the addresses of the host
	for i, next := range way {
		if i < len(way)-1 {
			d.UI.Detailf("shelf: by way of %s", next)
		}
		if client, err = d.login(ctx, next, open); err != nil {
			return nil, err
		}
		open = through(client)
	}
	return client, nil
}

// login connects, shakes hands and logs in.
func (d *dialer) login(ctx context.Context, to target, open opener) (*ssh.Client, error) {
	clock := startClock(ctx, d.LoginTime)
	defer clock.stop()
	who := &person{UI: d.UI, pause: clock.pause}
	direct, err := open(clock, "tcp", to.addr)
	if err != nil {
		return nil, loginError(ctx, to, who, clock.explain(err))
	}
	nc := newOutbox(direct)
	defer context.AfterFunc(clock, func() { nc.Close() })()
	client, err := d.handshake(clock, nc, to, who)
	if err != nil {
		nc.Close()
		return nil, loginError(ctx, to, who, clock.explain(err))
	}
	return client, nil
}

func (d *dialer) handshake(clock *clock, nc net.Conn, to target, who *person) (*ssh.Client, error) {
	hosts, err := openHosts(who, to)
	if err != nil {
		return nil, err
	}
	auth := newAuth(who, to)
	defer auth.close()
	defer context.AfterFunc(clock, auth.close)() // an agent can be silent, too
	conn, channels, requests, err := ssh.NewClientConn(nc, to.addr, &ssh.ClientConfig{
		ClientVersion:     clientVersion(d.Version),
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

// clientVersion names this program to servers (RFC 4253, section 4.2), so that
// their logs tell it from others. A version there has no spaces and no dashes.
func clientVersion(version string) string {
	const name = "SSH-2.0-shelf"
	if version == "" {
		return name
	}
	return name + "_" + strings.ReplaceAll(version, "-", "_")
}

func loginError(ctx context.Context, to target, who *person, err error) error {
	switch e := (*Error)(nil); {
	case who.stopped != nil:
		return who.stopped
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &e):
		return e
	}
	return &Error{Unreachable, fmt.Errorf("no connection to %s: %w", to.addr, err)}
}
