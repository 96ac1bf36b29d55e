package gatekeeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"shelf/vfs"
	"shelf/vfs/gate"
)

// lookUp finds the program as a shell would, once.
func lookUp(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// refuses is the exit status of a command that refuses a file.
const refuses = 1

// waitDelay is how long a command that has ended is waited for whose children still
// hold its output.
const waitDelay = time.Second

// run runs the command for a file. When ctx or its time ends, so do it and all that it
// has started.
func (k *keeper) run(ctx context.Context, about gate.File, file *os.File) (gate.Verdict, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, k.timeout, fmt.Errorf("%s has not ended within %s", k.args[0], k.timeout))
	defer cancel()
	c := exec.CommandContext(ctx, k.program, k.args[1:]...)
	c.Args[0] = k.args[0]
	out := &firstLine{}
	c.Stdin, c.Stdout, c.Stderr, c.Env = file, out, os.Stderr, environment(about)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = waitDelay
	err := c.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case ctx.Err() != nil:
		return gate.Verdict{}, context.Cause(ctx)
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && c.ProcessState.Success():
		return gate.Verdict{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == refuses:
		return gate.Verdict{Refused: true, Reason: out.String()}, nil
	}
	return gate.Verdict{}, fmt.Errorf("%s: %w", k.args[0], err)
}

// firstLine keeps the first line of what is written to it.
type firstLine struct {
	text  bytes.Buffer
	ended bool
}

// maxLine is how much of it is kept, in bytes.
const maxLine = 1 << 10

// Write implements [io.Writer].
func (f *firstLine) Write(p []byte) (int, error) {
	line, _, more := bytes.Cut(p, []byte("\n"))
	if !f.ended {
		f.text.Write(line[:min(len(line), maxLine-f.text.Len())])
	}
	f.ended = f.ended || more || f.text.Len() == maxLine
	return len(p), nil
}

func (f *firstLine) String() string { return vfs.Escape(strings.TrimSpace(f.text.String())) }
