// Command shelf is a client for a library served over SFTP: a small prompt
// that lists, downloads, uploads and quits. It is a client of the protocol and
// works with any SFTP server.
//
//	main.go         flags, and exit statuses
//	destination.go  whom to connect to, and as whom
//	connect.go      the connection, and a channel of it for each transfer
//	auth.go         how to log in
//	hostkeys.go     which server is trusted
//	prompt.go       where commands come from: arguments, a terminal or a pipe
//	commands.go     the table of commands
//	list.go get.go put.go  a command each
//	transfer.go     many files one after the other, and what is said of each
//	reasons.go      why the server refused
//	print.go        what the server sent, made safe to print
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitSome    = 1 // a command, or some of its files, failed
	exitUsage   = 2
	exitConnect = 3
	exitHostKey = 4
	exitRefused = 5 // the server lets nobody in who shows what we have
)

// exitError is an error with the status to exit with.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usageErrorf(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// streams are where a run reads commands from and writes to.
type streams struct {
	in       *os.File
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is the whole program; what it returns is the exit status.
func run(args []string, std streams) int {
	c := rootCommand(std)
	c.SetArgs(args)
	c.SetOut(std.out)
	c.SetErr(std.err)
	err := c.ExecuteContext(context.Background())
	if err == nil {
		return 0
	}
	fmt.Fprintln(std.err, "shelf:", err)
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e.status
	}
	return exitUsage
}

func rootCommand(std streams) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "shelf [flags] [user@]host[:port] [command [args...]]",
		Short: "List, download and upload the files of a library over SSH",
		Long: "List, download and upload the files of a library over SSH.\n\n" +
			"Without a command there is a prompt. Commands also come from a pipe, one a\n" +
			"line; the first that fails ends it. They are:\n\n" + help() + "\n" +
			"Exit status: 0 all was done, 1 something failed, 2 usage, 3 no connection,\n" +
			"4 the host key is not trusted, 5 not let in.",
		Example:       "  shelf ada@files.example.com\n  shelf -p 22 ada@files.example.com get report.pdf to /tmp",
		Args:          cobra.MinimumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, args []string) error {
			to, err := parseDestination(args[0], o.port)
			if err != nil {
				return err
			}
			return session(c.Context(), o, to, args[1:], std)
		},
	}
	f := c.Flags()
	f.SetInterspersed(false)
	f.IntVarP(&o.port, "port", "p", defaultPort, "port of the server")
	f.StringArrayVarP(&o.identities, "identity", "i", nil, "log in with the private key in this `FILE`; may be repeated")
	f.BoolVar(&o.acceptNew, "accept-new", false, "trust the key of a host not seen before, without asking")
	f.StringVar(&o.knownHosts, "known-hosts", "", "`FILE` of trusted host keys (default ~/.ssh/known_hosts)")
	return c
}

// options are the flags.
type options struct {
	port       int
	identities []string
	acceptNew  bool
	knownHosts string
}

// session connects and carries out the commands.
func session(ctx context.Context, o options, to destination, args []string, std streams) error {
	r, err := connect(ctx, o, to, std)
	if err != nil {
		return err
	}
	defer r.Close()
	s := &shell{remote: r, streams: std}
	if len(args) > 0 {
		return s.interruptible(ctx, func(ctx context.Context) error { return ignoreQuit(s.command(ctx, args)) })
	}
	return s.read(ctx)
}

// interruptible runs f with a context that Ctrl-C ends.
func (s *shell) interruptible(ctx context.Context, f func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	return f(ctx)
}
