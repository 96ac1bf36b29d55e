package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/notify"
)

// listener is the part that clients connect to.
type listener struct {
	notes io.Writer
	net.Listener
}

// check refuses an address that cannot be listened on. If it is in use that is
// only noted: it may be this server that runs.
func (l *listener) check(s config.Settings) error {
	err := l.open(s)
	if err == nil {
		l.close()
		return nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintf(l.notes, "Note: %v\n  That is as it should be if this server is running.\n", err)
		return nil
	}
	return err
}

// open takes the sockets that a service manager has opened, or opens its own.
func (l *listener) open(s config.Settings) (err error) {
	if l.Listener, err = notify.Listen(os.Getenv); err != nil {
		return &problem{"", "Cannot listen", err, "A socket unit for it has ListenStream= with an address and port, and Accept=no."}
	}
	if l.Listener != nil {
		return nil
	}
	// Go sets TCP_NODELAY and TCP keepalives on what is accepted.
	if l.Listener, err = net.Listen("tcp", s.Listen); err == nil {
		return nil
	}
	by := s.By("listen")
	remedy := "Name an address of this machine and a port with " + by + ", as :2222 or 127.0.0.1:2222."
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "Another program has that port. Stop it, or name another port with " + by + "."
	case errors.Is(err, syscall.EACCES):
		remedy = "Ports below 1024 take a privilege: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit (docs/admin.md).\n" +
			"  Or name a higher one with " + by + "."
	}
	return &problem{s.Where("listen"), "Cannot listen on " + s.Listen, err, remedy}
}

func (l *listener) reload(was, next config.Settings) (func() error, error) {
	if was.Listen != next.Listen {
		return nil, needsRestart(next, "listen", "listen is now "+next.Listen)
	}
	return nil, nil
}

// close may come after the server has closed it.
func (l *listener) close() { l.Close() }
