package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"

	"shelf/cmd/shelfd/socket"
)

// Socket is the listener that an operator's commands connect to. It serves nobody
// but the server's own user and root, whatever the mode of its file.
type Socket struct {
	*socket.Socket
	Follows bool // another server answered here before

	names map[int]string // of those users, by uid
	log   *slog.Logger
}

// Listen makes the socket, with a file that only the server's user can open. If
// another server answers at the path, its operators come here from now on, and the
// log tells it: so a new server takes over from an old one.
func Listen(path string, log *slog.Logger) (*Socket, error) {
	follows, err := socket.Answers(path)
	if err != nil {
		return nil, err
	}
	if follows {
		log.Warn("another server answered at the admin socket; from now on this one does", "socket", path)
	}
	l, err := socket.Listen(path, 0o600)
	if err != nil {
		return nil, err
	}
	return &Socket{Socket: l, Follows: follows, names: namesOf(0, os.Geteuid()), log: log}, nil
}

// Dial connects to the socket.
func Dial(ctx context.Context, path string) (net.Conn, error) { return socket.Dial(ctx, path) }

// namesOf looks up what users are called, while that can be read.
func namesOf(uids ...int) map[int]string {
	names := make(map[int]string)
	for _, uid := range uids {
		if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
			names[uid] = u.Username
		}
	}
	return names
}

// Accept waits for a connection of somebody who may steer the server.
func (s *Socket) Accept() (net.Conn, error) {
	for {
		c, err := s.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(c)
		if err == nil && (uid == 0 || uid == os.Geteuid()) {
			return peer{c, s.operator(uid)}, nil
		}
		s.log.Warn("somebody who may not steer the server has connected to the admin socket", "uid", uid, "err", err)
		c.Close()
	}
}

// operator says who a user is.
func (s *Socket) operator(uid int) Operator {
	if name, ok := s.names[uid]; ok {
		return Operator(fmt.Sprintf("%s (uid %d)", name, uid))
	}
	return Operator(fmt.Sprintf("uid %d", uid))
}

// peerOf is the user at the other end.
func peerOf(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = uidOf(int(fd)) }); err != nil {
		return -1, err
	}
	return uid, failed
}

// peer is a connection of an operator.
type peer struct {
	*net.UnixConn
	operator Operator
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(peer); ok {
		return context.WithValue(ctx, peerKey{}, p.operator)
	}
	return ctx
}

func operatorOf(ctx context.Context) Operator {
	who, _ := ctx.Value(peerKey{}).(Operator)
	return who
}
