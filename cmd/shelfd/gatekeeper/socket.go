package gatekeeper

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// listen makes the socket, in the place of one that nobody answers on. done removes it.
func listen(path string, mode fs.FileMode) (l *net.UnixListener, done func(), err error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, nil, fmt.Errorf("%s is there, and is no socket", path)
	default:
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, nil, fmt.Errorf("another program answers on %s; stop it, or name another socket", path)
		}
	}
	// It gets its name when it has its mode: nobody else may connect before.
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	l, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: draft})
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(draft, mode), os.Rename(draft, path)); err != nil {
		return nil, nil, errors.Join(err, l.Close(), os.Remove(draft))
	}
	mine, err := os.Lstat(path)
	return l, func() {
		l.Close()
		if now, err := os.Lstat(path); err == nil && mine != nil && os.SameFile(now, mine) {
			os.Remove(path)
		}
	}, err
}
