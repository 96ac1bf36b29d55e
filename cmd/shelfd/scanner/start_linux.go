package scanner

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"shelf/vfs/gate"
)

// Start starts a process that may ask these scanners. It must be called before the
// sandbox is set up.
func Start(addresses []gate.Address, log *slog.Logger) (*Process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "scanner")
	defer theirs.Close()
	conn, err := connOf(os.NewFile(uintptr(pair[0]), "scanner"))
	if err != nil {
		return nil, err
	}
	args := []string{Name, "--"}
	for _, at := range addresses {
		args = append(args, at.String())
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "shelfd"
	cmd.Dir, cmd.Stderr, cmd.ExtraFiles = "/", os.Stderr, []*os.File{theirs}
	cmd.Env = []string{"GOMEMLIMIT=64MiB"} // no secret of the server's
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go cmd.Wait() // who waits must be there before seccomp; that it has ended is seen on the socket
	return newProcess(addresses, conn, log), nil
}
