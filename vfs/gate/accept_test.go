package gate

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
)

// failing fails with some errors first, and then has a connection.
type failing struct{ with []error }

func (f *failing) AcceptUnix() (*net.UnixConn, error) {
	if len(f.with) == 0 {
		return &net.UnixConn{}, nil
	}
	err := f.with[0]
	f.with = f.with[1:]
	return nil, &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", err)}
}

// TestAcceptGoesOn where the system has no descriptors for a while.
func TestAcceptGoesOn(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if c, err := accept(t.Context(), &failing{[]error{syscall.EMFILE, syscall.ECONNABORTED}}, log); err != nil || c == nil {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := accept(t.Context(), &failing{[]error{syscall.EBADF}}, log); !errors.Is(err, syscall.EBADF) {
		t.Errorf("a listener that is broken: %v", err)
	}
}
