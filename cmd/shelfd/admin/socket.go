package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Socket is the listener that an operator's commands connect to. It serves nobody
// but the server's own user and root, whatever the mode of its file.
type Socket struct {
	*net.UnixListener
	Follows bool // another server answered here before

	path  string
	file  fs.FileInfo    // of the path, when it was ours
	names map[int]string // of those users, by uid
	log   *slog.Logger
	close sync.Once
	err   error
}

// Listen makes the socket, with a file that only the server's user can open. If
// another server answers at the path, its operators come here from now on, and the
// log tells it: so a new server takes over from an old one.
func Listen(path string, log *slog.Logger) (*Socket, error) {
	follows, err := mayReplace(path, log)
	if err != nil {
		return nil, err
	}
	// It gets its name when nobody else can open it any more.
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	at, done, err := reachable(draft)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", at)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(draft, 0o600), os.Rename(draft, path)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	file, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Socket{UnixListener: l, Follows: follows, path: path, file: file, names: namesOf(0, os.Geteuid()), log: log}, nil
}

// mayReplace refuses to take away what is no socket, and tells whether a server answers
// there.
func mayReplace(path string, log *slog.Logger) (follows bool, err error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode().Type() != fs.ModeSocket:
		return false, fmt.Errorf("%s is there, and is no socket", path)
	}
	c, err := Dial(context.Background(), path)
	if err != nil {
		return false, nil
	}
	c.Close()
	log.Warn("another server answered at the admin socket; from now on this one does", "socket", path)
	return true, nil
}

// Dial connects to the socket.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	at, done, err := reachable(path)
	if err != nil {
		return nil, err
	}
	defer done()
	d := net.Dialer{Timeout: 5 * time.Second}
	return d.DialContext(ctx, "unix", at.Name)
}

// maxSocketPath is how long the path of a socket may be for the system, in bytes,
// on any that we know.
const maxSocketPath = 103

// reachable is an address for a path that may be too long for one. On Linux it then
// goes by the folder's descriptor, until done is called.
func reachable(path string) (at *net.UnixAddr, done func(), err error) {
	if len(path) <= maxSocketPath {
		return &net.UnixAddr{Net: "unix", Name: path}, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return nil, nil, fmt.Errorf("the path %s is too long for a socket; name a shorter one with admin_socket", path)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	name := fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	return &net.UnixAddr{Net: "unix", Name: name}, func() { folder.Close() }, nil
}

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

// IsTaken tells whether another server has taken the socket over.
func (s *Socket) IsTaken() bool {
	file, err := os.Lstat(s.path)
	return err == nil && !os.SameFile(file, s.file)
}

// Close takes the socket away, unless another server has taken it over.
func (s *Socket) Close() error {
	s.close.Do(func() {
		if file, err := os.Lstat(s.path); err == nil && os.SameFile(file, s.file) {
			os.Remove(s.path) // the sandbox may forbid it; the next server replaces it then
		}
		s.err = s.UnixListener.Close()
	})
	return s.err
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
