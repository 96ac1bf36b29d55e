package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// dialTimeout bounds the wait for a server, login included but for the time
// that a person takes to answer.
const dialTimeout = 30 * time.Second

// remote is a connection. It has one channel for questions, and each transfer
// gets one of its own: a transfer that is broken off is ended by closing its
// channel. To CLOSE its handle would publish half a file.
type remote struct {
	ssh    *ssh.Client
	to     destination
	ask    *channel
	packet int // bytes of data in a packet
}

// Data in a packet, in bytes: what every server takes, and what those take that
// announce limits@openssh.com (OpenSSH from 8.5 on, Shelf).
const (
	smallPacket = 32 << 10
	largePacket = 255 << 10
)

// channel is one sftp session and what the server says beside it.
type channel struct {
	*sftp.Client
	reasons *reasons
	session *ssh.Session
}

// Close ends the channel. Uploads that are open are not published.
func (c *channel) Close() error { return c.session.Close() }

// Close ends the connection.
func (r *remote) Close() error { return r.ssh.Close() }

func connect(ctx context.Context, o options, to destination, std streams) (*remote, error) {
	hosts, err := openHosts(o, std.err)
	if err != nil {
		return nil, &exitError{exitHostKey, err}
	}
	config := &ssh.ClientConfig{
		User:              to.user,
		Auth:              newAuth(o, to, std.err).methods(),
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: hosts.algorithms(to.addr),
		BannerCallback: func(text string) error {
			for line := range strings.Lines(text) {
				fmt.Fprintln(std.err, printable(strings.TrimRight(line, "\r\n")))
			}
			return nil
		},
	}
	client, err := dial(ctx, to, config)
	if err != nil {
		return nil, err
	}
	r := &remote{ssh: client, to: to, packet: smallPacket}
	if r.ask, err = r.channel(); err != nil {
		client.Close()
		return nil, &exitError{exitConnect, fmt.Errorf("%s offers no files: %w", to.addr, err)}
	}
	if _, ok := r.ask.HasExtension("limits@openssh.com"); ok {
		r.packet = largePacket
	}
	return r, nil
}

func dial(ctx context.Context, to destination, config *ssh.ClientConfig) (*ssh.Client, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", to.addr)
	if err != nil {
		return nil, &exitError{exitConnect, fmt.Errorf("no connection to %s: %w", to.addr, err)}
	}
	conn, channels, requests, err := ssh.NewClientConn(nc, to.addr, config)
	if err != nil {
		return nil, handshakeError(to, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

func handshakeError(to destination, err error) error {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e
	}
	// x/crypto has no error of its own for this on the client's side.
	if strings.Contains(err.Error(), "unable to authenticate") {
		return &exitError{exitRefused, fmt.Errorf("%s does not let %s in with the keys and passwords given; -i names a key", to.addr, to.user)}
	}
	return &exitError{exitConnect, fmt.Errorf("no connection to %s: %w", to.addr, err)}
}

// channel opens an sftp session.
func (r *remote) channel() (*channel, error) {
	s, err := r.ssh.NewSession()
	if err != nil {
		return nil, err
	}
	c, err := startSFTP(s, r.packet)
	if err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// inFlight is how many packets are under way at once: with large ones 16 MiB,
// enough for 1 Gbit/s at a round trip of 100 ms.
const inFlight = 64

func startSFTP(s *ssh.Session, packet int) (*channel, error) {
	in, err := s.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said, err := s.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.RequestSubsystem("sftp"); err != nil {
		return nil, err
	}
	reasons := readReasons(said)
	c, err := sftp.NewClientPipe(out, in, sftp.MaxPacketUnchecked(packet),
		sftp.MaxConcurrentRequestsPerFile(inFlight), sftp.UseConcurrentWrites(true))
	if err != nil {
		return nil, err
	}
	return &channel{c, reasons, s}, nil
}

// transfer runs f on a channel of its own, which ends with ctx.
func (r *remote) transfer(ctx context.Context, f func(*channel) error) error {
	c, err := r.channel()
	if err != nil {
		return fmt.Errorf("the connection is lost: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	err = f(c)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return c.explain(err)
}
