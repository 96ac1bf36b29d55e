// Package gatekeeper has the command shelfd gate: it answers a gate on a unix socket by
// running a command for each file. It is a process of its own, of its own user if that
// is wanted, and outside of the server's sandbox.
//
//	gatekeeper.go  the command
//	command.go     running one command for one file
package gatekeeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
	"shelf/cmd/shelfd/socket"
	"shelf/vfs"
	"shelf/vfs/gate"
)

// options are those of the command line.
type options struct {
	listen  string
	mode    string
	timeout time.Duration
	scans   int
}

// Command is shelfd gate.
func Command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "gate --listen SOCKET -- COMMAND [ARGUMENT...]",
		Short: "Judge uploads by running a command for each",
		Long: "Answer the gate of a library (libraries.NAME.gate.socket) by running a command\n" +
			"for each file. Its standard input is the file. It accepts the file by exit\n" +
			"status 0, and refuses it by 1, with the first line of its output as the reason.\n" +
			"Any other status is that it has no verdict. SHELF_NAME, SHELF_SIZE,\n" +
			"SHELF_LIBRARY and SHELF_ACCOUNT in its environment tell of the file. The name is\n" +
			"chosen by a client: quote it.",
		Example: "  shelfd gate --listen /run/shelf-gate/gate.sock -- /usr/local/bin/no-macros",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case o.listen == "":
				return arguments.Mistake{Err: errors.New("name the socket with --listen"), Command: c}
			case len(args) == 0 || c.ArgsLenAtDash() != 0:
				return arguments.Mistake{Err: errors.New("put the command behind --"), Command: c}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return run(c.Context(), o, args, logging.New(c.ErrOrStderr(), config.LogFormat{}, nil))
		},
	}
	c.Flags().StringVar(&o.listen, "listen", "", "answer on this `file`, a unix socket")
	c.Flags().StringVar(&o.mode, "socket-mode", "0660", "`mode` of that file: who may connect")
	c.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "`time` that the command may take for a file")
	c.Flags().IntVar(&o.scans, "max-scans", runtime.NumCPU(), "judge this `number` of files at a time")
	return c
}

// run answers until ctx ends.
func run(ctx context.Context, o options, args []string, log *slog.Logger) error {
	mode, err := strconv.ParseUint(o.mode, 8, 9)
	switch {
	case err != nil:
		return fmt.Errorf("--socket-mode: %q is not a mode such as 0660", o.mode)
	case o.scans < 1:
		return errors.New("--max-scans: it must be 1 or more")
	case o.timeout <= 0:
		return errors.New("--timeout: it must be more than 0")
	}
	program, err := lookUp(args[0])
	if err != nil {
		return err
	}
	l, err := listen(strings.TrimPrefix(o.listen, "unix:"), fs.FileMode(mode))
	if err != nil {
		return err
	}
	defer l.Close()
	log.Info("answering", "socket", o.listen, "command", strings.Join(args, " "))
	k := &keeper{program: program, args: args, timeout: o.timeout, slots: make(chan struct{}, o.scans), log: log}
	return gate.Serve(ctx, l.UnixListener, k.judge, log)
}

// listen makes the socket, in the place of one that nobody answers on.
func listen(path string, mode fs.FileMode) (*socket.Socket, error) {
	answers, err := socket.Answers(path)
	if err == nil && answers {
		err = fmt.Errorf("another program answers on %s; stop it, or name another socket", path)
	}
	if err != nil {
		return nil, err
	}
	return socket.Listen(path, mode)
}

// keeper judges files by a command.
type keeper struct {
	program string
	args    []string // with its name
	timeout time.Duration
	slots   chan struct{} // one for each command that runs
	log     *slog.Logger
}

// judge runs the command, when it is its turn.
func (k *keeper) judge(ctx context.Context, about gate.File, file *os.File) (gate.Verdict, error) {
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return gate.Verdict{}, context.Cause(ctx)
	}
	begun := time.Now()
	v, err := k.run(ctx, about, file)
	say, result := k.log.Info, "accepted"
	switch {
	case err != nil:
		say, result = k.log.Warn, "no verdict: "+err.Error()
	case v.Refused:
		result = "refused: " + v.Reason
	}
	say("judged", "library", about.Library, "account", vfs.Escape(about.Account), "name", vfs.Escape(about.Name),
		"size", about.Size, "result", vfs.Escape(result), "took", time.Since(begun).Round(time.Millisecond))
	return v, err
}

// environment tells the command of the file.
func environment(about gate.File) []string {
	return append(os.Environ(),
		"SHELF_NAME="+cmp.Or(about.Name, "?"), "SHELF_SIZE="+strconv.FormatInt(about.Size, 10),
		"SHELF_LIBRARY="+about.Library, "SHELF_ACCOUNT="+about.Account)
}
