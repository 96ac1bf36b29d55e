package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// dial connects to a unix socket. What is done with the connection ends with ctx.
func dial(ctx context.Context, path string) (c *net.UnixConn, done func(), err error) {
	var d net.Dialer
	any, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, err
	}
	c = any.(*net.UnixConn)
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	return c, func() { stop(); c.Close() }, nil
}

// Send sends a message, with an open file if there is one.
func Send(c *net.UnixConn, message []byte, file *os.File) error {
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	n, _, err := c.WriteMsgUnix(message, rights, nil)
	if err == nil && n < len(message) {
		_, err = c.Write(message[n:])
	}
	return err
}

// Receive receives what Send has sent, as much as has come of it. file is nil if
// none came. The error is [io.EOF] if the other end is closed.
func Receive(c *net.UnixConn, buffer []byte) (n int, file *os.File, err error) {
	// Room for more descriptors than one is sent: they are closed, and do not leak.
	rights := make([]byte, unix.CmsgSpace(4*8))
	n, m, flags, _, err := c.ReadMsgUnix(buffer, rights)
	switch {
	case errors.Is(err, io.EOF), err == nil && n == 0 && m == 0:
		return 0, nil, io.EOF
	case err != nil:
		return n, nil, err
	}
	all, err := descriptors(rights[:m])
	for i, fd := range all {
		unix.CloseOnExec(fd)
		if i == 0 && err == nil {
			file = os.NewFile(uintptr(fd), "received")
			continue
		}
		unix.Close(fd)
	}
	if flags&unix.MSG_CTRUNC != 0 && err == nil {
		err = errors.New("more descriptors came than can be taken")
	}
	if err != nil && file != nil {
		file.Close()
		file = nil
	}
	return n, file, err
}

func descriptors(rights []byte) (all []int, err error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, fmt.Errorf("a control message: %w", err)
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // of another kind
		}
		all = append(all, fds...)
	}
	return all, nil
}
