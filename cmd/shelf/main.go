// Command shelf is a client for a library served over SFTP: a small prompt
// that lists, downloads and uploads files. It is a client of the protocol and
// works with any SFTP server; where something needs Shelf, it says so.
//
// How it starts, and where commands come from:
//
//	main.go         flags; exit.go: exit statuses
//	shell.go        one command after the other, and a lost connection
//	prompt.go       commands from a terminal or a pipe
//	editor.go       a line at a terminal; with complete.go and history.go
//	commands.go     the table of commands; choices.go has their flags,
//	                values.go what may follow those, flags.go what is wrong
//	completion.go man.go version.go  what needs no server
//
// A command each, with what only it needs:
//
//	list.go info.go rename.go remove.go space.go help.go
//	get.go          and part.go: the local file until it is whole
//	put.go          and resume.go: what an earlier try left on the server;
//	                publish.go: giving it the name
//	sync.go watch.go  many puts; writers_*.go: whether a file is complete
//	names.go        which names a pattern means
//
// How files are moved:
//
//	transfer.go     many files, some at a time; meter.go, bars.go, sizes.go: how far
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
//	ui.go           lines and JSON; print.go: made safe to print; output.go:
//	                whether that was written
//	ask.go          questions
//	system_*.go     what differs between systems
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

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
	out := &output{Writer: std.out}
	std.out = out
	u := &ui{streams: std}
	c := rootCommand(u)
	c.SetArgs(args)
	c.SetOut(std.out)
	c.SetErr(std.err)
	err := c.ExecuteContext(context.Background())
	if failure := out.failure(); failure != nil && (err == nil || errors.Is(err, failure)) {
		err = &exitError{exitSome, fmt.Errorf("not all could be written to the output: %w", failure)}
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(std.err, "shelf:", err)
	u.ended(err)
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
	examples = `  shelf ada@files.example.com
  shelf ada@files.example.com put *.pdf
  shelf -p 22 ada@files.example.com get report.pdf to /tmp
  shelf sftp://ada@files.example.com:2222/report.pdf`
)

func rootCommand(u *ui) *cobra.Command {
	o := options{ui: u}
	c := &cobra.Command{
		Use:              "shelf [flags] [user@]host[:port] [command [args...]]",
		Short:            "List, download and upload the files of a library over SSH",
		Long:             long + help() + "\n" + statusHelp(),
		Example:          examples,
		Args:             cobra.ArbitraryArgs,
		Version:          version(),
		TraverseChildren: true,
		SilenceUsage:     true,
		SilenceErrors:    true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("which server? shelf [user@]host[:port]")
			}
			return session(c.Context(), o, args)
		},
	}
	o.add(c)
	c.AddCommand(completionCommand(), manCommand(), versionCommand())
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetVersionTemplate("{{.Version}}")
	c.SetHelpCommand(helpCommand())
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageErrorf("%s; shelf --help tells what there is", flagError(c.Flags(), err))
	})
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
	o.timeout = 2 * time.Minute
	f.Var((*span)(&o.timeout), "timeout", "give up on a server that is silent for this `TIME`; 0 never does")
	f.BoolVar(&o.json, "json", false, "a line of JSON for each thing that there is to say")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "say only what went wrong")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say also how it is done")
	f.Bool("version", false, "print the version")
}

func isHelp(word string) bool { return word == "-h" || word == "--help" }

// helpOn is what is asked for after a word: a command, by who left out the
// server, or else a server.
func helpOn(word string) []string {
	if _, err := find(word); err == nil {
		return []string{"help", word}
	}
	return []string{"help"}
}

// session connects and carries out the commands.
func session(ctx context.Context, o options, args []string) error {
	words := args[1:]
	if len(words) > 0 && isHelp(words[0]) {
		words = helpOn(args[0])
	}
	s, err := newSession(o, args[0])
	if err != nil {
		return err
	}
	defer s.hangUp()
	if len(words) > 0 {
		alone, err := offline(words)
		if err != nil {
			return err
		}
		if alone {
			return ignoreQuit(s.command(ctx, words))
		}
	}
	if s.remote, err = s.connect(ctx); err != nil {
		return err
	}
	if file := s.remote.file; len(words) == 0 && file != "" {
		words = []string{"get", "--", file}
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
		o.connected(client, to)
		return newRemote(ctx, client, to, d.path, o.timeout)
	}}, nil
}

// connected tells with whom, and how.
func (u *ui) connected(client *ssh.Client, to target) {
	key := "of a kind that is not known"
	if m, ok := client.Conn.(ssh.AlgorithmsConnMetadata); ok {
		key = m.Algorithms().HostKey
	}
	u.detailf("shelf: connected to %s at %s, which is %s; its host key is %s",
		printable(to.String()), client.RemoteAddr(), printable(string(client.ServerVersion())), key)
}
