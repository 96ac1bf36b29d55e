// Command shelf is a client for a library served over SFTP: a small prompt
// that lists, downloads, uploads and quits.
//
//	main.go      flags and the destination
//	connect.go   the SSH connection: host keys and authentication
//	prompt.go    where commands come from: arguments, a terminal or a pipe
//	commands.go  the table of commands
//	list.go get.go put.go  one command each
//	print.go     names from the server, made safe to print
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitSome    = 1 // a command or some of its files failed
	exitUsage   = 2
	exitConnect = 3
	exitHostKey = 4
	exitRefused = 5
)

// exitError is an error with the status to exit with.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := command().ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "shelf:", err)
	status := exitUsage
	if e := (*exitError)(nil); errors.As(err, &e) {
		status = e.status
	}
	os.Exit(status)
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "shelf [flags] [user@]host[:port] [command [args...]]",
		Short: "List, download and upload the files of a library over SSH",
		Long: "List, download and upload the files of a library over SSH.\n\n" +
			"Without a command there is a prompt; commands also come from a pipe, one a line.\n\n" + help(),
		Args:          cobra.MinimumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, args []string) error {
			to, err := parseDestination(args[0], o.port)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return run(c.Context(), o, to, args[1:])
		},
	}
	f := c.Flags()
	f.SetInterspersed(false)
	f.IntVarP(&o.port, "port", "p", 2222, "port of the server")
	f.StringVarP(&o.identity, "identity", "i", "", "log in with this private key")
	f.BoolVar(&o.acceptNew, "accept-new", false, "trust the key of a host not seen before, without asking")
	f.StringVar(&o.knownHosts, "known-hosts", "", "file of trusted host keys (default ~/.ssh/known_hosts)")
	return c
}

func run(ctx context.Context, o options, to destination, args []string) error {
	conn, err := connect(o, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := &shell{conn: conn, out: os.Stdout, err: os.Stderr}
	// A transfer under way is cut by ending the connection: the server then
	// publishes nothing.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if len(args) > 0 {
		return s.command(args)
	}
	return s.read(os.Stdin)
}
