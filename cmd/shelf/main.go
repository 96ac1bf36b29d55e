// Command shelf is a client for a library served over SFTP: a small prompt
// that lists, downloads and uploads files. It is a client of the protocol and
// works with any SFTP server; where something needs Shelf, it says so.
//
// How it starts, and where commands come from:
//
//	main.go         flags, and exit statuses
//	shell.go        one command after the other, and a lost connection
//	prompt.go       commands from a terminal or a pipe
//	editor.go       a line at a terminal; with complete.go and history.go
//	commands.go     the table of commands; choices.go has their flags
//	completion.go man.go  what is made from that table
//
// A command each, with what only it needs:
//
//	list.go info.go rename.go remove.go space.go help.go
//	get.go          and part.go: the local file until it is whole
//	put.go          and resume.go: what an earlier try left on the server
//	sync.go watch.go  many puts
//	names.go        which names a pattern means
//
// How files are moved:
//
//	transfer.go     many files, some at a time; meter.go, bars.go: how far
//	download.go     one file, over one channel or several
//	upload.go       one file, over one channel
//	digest.go       SHA-256 on the server, or here
//	limit.go        how fast at most
//
// The connection:
//
//	destination.go  what a person writes; sshconfig.go: what it stands for;
//	                sshfile.go: reading files of ssh_config
//	connect.go      dialing; jump.go: by way of other servers; clock.go: how long
//	auth.go         how to log in; identity.go: with which keys; locked.go: those
//	                with a passphrase; refusal.go: why we are not let in
//	hostkeys.go     which server is trusted; learn.go: by its next keys, too
//	remote.go       a connection, and what is known of the server; lifeline.go: its end
//	outbox.go       sending; pool.go: its channels
//	channel.go      an SFTP session; packet.go requests.go status.go: its words
//	reasons.go      why the server refused
//
// How we talk to people and scripts:
//
//	ui.go           lines and JSON; print.go: made safe to print
//	ask.go          questions
//	system_*.go     what differs between systems
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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
	if errors.Is(err, errInterrupted) {
		return exitSome
	}
	return exitUsage
}

const (
	long = `List, download and upload the files of a library over SSH.

Without a command there is a prompt. Commands also come from a pipe, one a
line; the first that fails ends it. They are:

`
	statuses = `Exit status: 0 all was done, 1 something failed, 2 usage, 3 no connection or a
lost one, 4 the host key is not trusted, 5 not let in.`
	examples = `  shelf ada@files.example.com
  shelf ada@files.example.com put *.pdf
  shelf -p 22 ada@files.example.com get report.pdf to /tmp
  shelf sftp://ada@files.example.com:2222/report.pdf`
)

func rootCommand(std streams) *cobra.Command {
	o := options{ui: &ui{streams: std}}
	c := &cobra.Command{
		Use:           "shelf [flags] [user@]host[:port] [command [args...]]",
		Short:         "List, download and upload the files of a library over SSH",
		Long:          long + help() + "\n" + statuses,
		Example:       examples,
		Args:          cobra.MinimumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, args []string) error { return session(c.Context(), o, args) },
	}
	o.add(c)
	c.AddCommand(completionCommand(), manCommand())
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetHelpCommand(&cobra.Command{Hidden: true})
	c.ValidArgsFunction = completeArgs
	return c
}

// options are the flags before the destination.
type options struct {
	*ui
	user       string // never a flag: it stands before the host
	port       int    // 0 if it is not given
	identities []string
	acceptNew  bool
	knownHosts string
	config     string
	jump       string
	timeout    time.Duration
}

func (o *options) add(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.SetInterspersed(false)
	f.VarP((*portFlag)(&o.port), "port", "p", fmt.Sprintf("`PORT` of the server (default %d, or what ssh_config says)", defaultPort))
	f.StringArrayVarP(&o.identities, "identity", "i", nil, "log in with the private key in this `FILE`; may be repeated")
	f.StringVarP(&o.jump, "jump", "J", "", "go by way of `HOST`, [user@]host[:port]; several with commas")
	f.StringVarP(&o.config, "config", "F", "", "`FILE` to read instead of ~/.ssh/config; none for no file")
	f.BoolVar(&o.acceptNew, "accept-new", false, "trust the key of a host not seen before, without asking")
	f.StringVar(&o.knownHosts, "known-hosts", "", "`FILE` of trusted host keys (default ~/.ssh/known_hosts)")
	f.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up on a server that is silent for this `TIME`; 0 never does")
	f.BoolVar(&o.json, "json", false, "a line of JSON for each thing that there is to say")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "say only what went wrong")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say also how it is done")
}

// session connects and carries out the commands.
func session(ctx context.Context, o options, args []string) error {
	s, err := newSession(o, args[0])
	if err != nil {
		return err
	}
	if s.remote, err = s.connect(ctx); err != nil {
		return err
	}
	defer func() { s.remote.Close() }()
	words := args[1:]
	if file := s.remote.file; len(words) == 0 && file != "" {
		words = []string{"get", file}
	}
	if len(words) > 0 {
		return s.interruptible(ctx, func(ctx context.Context) error { return ignoreQuit(s.command(ctx, words)) })
	}
	return s.read(ctx)
}

// newSession finds out whom to connect to, and how.
func newSession(o options, where string) (*shell, error) {
	d, err := parseDestination(where)
	if err != nil {
		return nil, err
	}
	config, err := readSSHConfig(o.ui, o.config)
	if err != nil {
		return nil, err
	}
	to, err := config.resolve(d, o, d.usualPort())
	if err != nil {
		return nil, err
	}
	dial := newDialer(o, config)
	return &shell{ui: o.ui, names: &names{}, connect: func(ctx context.Context) (*remote, error) {
		client, err := dial.dial(ctx, to)
		if err != nil {
			return nil, err
		}
		return newRemote(ctx, client, to, d.path, o.timeout)
	}}, nil
}
