package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

// process is a server that the supervisor has started.
type process struct {
	cmd    *exec.Cmd
	number int           // the lowest that no other server has
	exited chan struct{} // closed when it has ended; then exit is set
	exit   error
}

// startWithin is how long a server may take until it serves.
const startWithin = time.Minute

// start starts a server, and waits until it says that it serves.
func (v *supervisor) start(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	line := &firstLine{to: v.stdout, seen: make(chan struct{})}
	p, err := v.launch(line)
	if err != nil {
		return nil, err
	}
	go func() {
		p.exit = p.cmd.Wait()
		close(p.exited)
		v.ended <- p
	}()
	select {
	case <-line.seen:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("has not started: %w", cause(p.exit))
	case <-ctx.Done():
		p.cmd.Process.Kill()
		return nil, fmt.Errorf("has not started within %v", startWithin)
	}
}

func cause(exit error) error {
	if exit == nil {
		return errors.New("it has ended")
	}
	return exit
}

// launch starts the process with the socket (sd_listen_fds(3)).
func (v *supervisor) launch(stdout io.Writer) (*process, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return nil, errors.New("is not started: all servers are ending")
	}
	p := &process{number: 1, exited: make(chan struct{})}
	for slices.ContainsFunc(v.all, func(o *process) bool { return o.number == p.number }) {
		p.number++
	}
	args := slices.Concat([]string{"serve"}, v.flags, v.auditLog(p.number))
	// LISTEN_PID is the process of the server, which is known when it is there.
	p.cmd = exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh", v.program}, args...)...)
	p.cmd.Env = append(without(os.Environ(), "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"), "LISTEN_FDS=1", "LISTEN_FDNAMES=ssh")
	p.cmd.ExtraFiles = []*os.File{v.socket}
	// Its log goes where the supervisor's goes, also when that has gone.
	p.cmd.Stdout, p.cmd.Stderr = stdout, os.Stderr
	// Who types Ctrl-C means the supervisor, which passes it on once.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	v.all = append(v.all, p)
	return p, nil
}

// without leaves out variables of an environment.
func without(environ []string, names ...string) []string {
	return slices.DeleteFunc(environ, func(v string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return len(v) > len(name) && v[:len(name)+1] == name+"=" })
	})
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end has it take no more connections, and end after its transfers.
func (p *process) end() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

func (p *process) gone() <-chan struct{} { return p.exited }

// firstLine passes on what a server prints, and tells when a line is whole.
type firstLine struct {
	to   io.Writer
	seen chan struct{}
	once sync.Once
}

func (l *firstLine) Write(b []byte) (int, error) {
	if bytes.ContainsRune(b, '\n') {
		l.once.Do(func() { close(l.seen) })
	}
	return l.to.Write(b)
}
