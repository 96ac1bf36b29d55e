// Package socket is a unix socket on which a process of shelfd answers. Its file has its
// mode before anybody can connect, and may take the place of the file of another one.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Socket is a listener with a file.
type Socket struct {
	*net.UnixListener
	path  string
	file  fs.FileInfo // of the path, when it was ours
	close sync.Once
	err   error
}

// Listen makes a socket whose file has that mode. It replaces the file of another
// socket, whether somebody answers there or not, and nothing else.
func Listen(path string, mode fs.FileMode) (*Socket, error) {
	if _, err := look(path); err != nil {
		return nil, err
	}
	// It gets its name when it has its mode: nobody else may connect before.
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
	if err := errors.Join(os.Chmod(draft, mode), os.Rename(draft, path)); err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(draft))
	}
	file, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Socket{UnixListener: l, path: path, file: file}, nil
}

// look refuses what is no socket. It tells whether there is one.
func look(path string) (there bool, err error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode().Type() != fs.ModeSocket:
		return false, fmt.Errorf("%s is there, and is no socket", path)
	}
	return true, nil
}

// Answers tells whether somebody answers at a path. What is there and is no socket is an
// error.
func Answers(path string) (bool, error) {
	if there, err := look(path); err != nil || !there {
		return false, err
	}
	c, err := Dial(context.Background(), path)
	if err != nil {
		return false, nil
	}
	c.Close()
	return true, nil
}

// Dial connects to the socket at a path.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	at, done, err := reachable(path)
	if err != nil {
		return nil, err
	}
	defer done()
	d := net.Dialer{Timeout: 5 * time.Second}
	return d.DialContext(ctx, "unix", at.Name)
}

// maxPath is how long the path of a socket may be for the system, in bytes, on any that
// we know.
const maxPath = 103

// reachable is an address for a path that may be too long for one. On Linux it then
// goes by the folder's descriptor, until done is called.
func reachable(path string) (at *net.UnixAddr, done func(), err error) {
	if len(path) <= maxPath {
		return &net.UnixAddr{Net: "unix", Name: path}, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return nil, nil, fmt.Errorf("the path %s is too long for a socket; name a shorter one", path)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	name := fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	return &net.UnixAddr{Net: "unix", Name: name}, func() { folder.Close() }, nil
}

// IsTaken tells whether the file is that of another socket by now.
func (s *Socket) IsTaken() bool {
	file, err := os.Lstat(s.path)
	return err == nil && !os.SameFile(file, s.file)
}

// Close takes the file away, unless it is that of another socket by now.
func (s *Socket) Close() error {
	s.close.Do(func() {
		if file, err := os.Lstat(s.path); err == nil && os.SameFile(file, s.file) {
			os.Remove(s.path) // the sandbox may forbid it; the next server replaces it then
		}
		s.err = s.UnixListener.Close()
	})
	return s.err
}
