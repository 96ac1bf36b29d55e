// Command shelf is a client for a library served over SFTP: a prompt, and single
// commands, to list, download and upload files. It works with any SFTP server;
// where something needs Shelf, the text says so.
//
// Its packages:
//
//	connect   the server that a person means, and the login
//	sftp      the protocol
//	transfer  many files: get, put, sync, watch
//	receipt   checks receipts of uploads
//	ui        what people and scripts read and type
//
// The program itself, which alone knows all of them:
//
//	main.go      the command line, its flags and its exit status; exit.go
//	session.go   runs one command after the other, and connects again
//	prompt.go    commands from a terminal or a pipe; complete.go: what Tab offers
//	commands.go  the table of commands; a new command is a new row
//	flags.go     the flags of the commands; values.go: what may follow them
//	suggest.go   what was meant by a mistyped name
//	names.go     which names a pattern means, and what is done for each name
//
// A command each:
//
//	list.go folder.go info.go (and old versions) get.go put.go rename.go remove.go sync.go watch.go space.go
//	reconnect.go help.go
//
// Without a server:
//
//	completion.go man.go version.go
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

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/receipt"
	"shelf/cmd/shelf/ui"
)

// streams are where a run reads commands from and writes to.
type streams struct {
	in       *os.File
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is the whole program. It returns the exit status.
func run(args []string, std streams) int {
	out := &ui.Output{Writer: std.out}
	u := &ui.UI{In: std.in, Out: out, Err: std.err}
	c := rootCommand(u)
	c.SetArgs(args)
	c.SetOut(out)
	c.SetErr(std.err)
	err := c.ExecuteContext(context.Background())
	if failure := out.Failure(); failure != nil && (err == nil || errors.Is(err, failure)) {
		err = &exitError{exitSome, fmt.Errorf("could not write all of the output: %w", failure)}
	}
	if err == nil {
		return exitDone
	}
	u.Warnf("shelf: %v", err)
	tellError(u, err)
	return exitStatus(err)
}

const (
	long = `List, download and upload the files of a library over SSH.

Without a command there is a prompt. Commands can also come from a pipe, one per
line; the first that fails ends the program. The commands are:

`
	examples = `  shelf ada@files.example.com
  shelf ada@files.example.com put *.pdf
  shelf -p 22 ada@files.example.com get report.pdf to /tmp
  shelf sftp://ada@files.example.com:2222/report.pdf`
)

func rootCommand(u *ui.UI) *cobra.Command {
	o := options{ui: u, Options: connect.Options{UI: u, LoginTime: connect.LoginTime, Version: release()}}
	c := &cobra.Command{
		Use:              "shelf [flags] [user@]host[:port] [command [args...]]",
		Short:            "List, download and upload the files of a library over SSH",
		Long:             long + help() + "\n" + statusHelp(),
		Example:          examples,
		Args:             cobra.ArbitraryArgs,
		Version:          versionLine(),
		TraverseChildren: true,
		SilenceUsage:     true,
		SilenceErrors:    true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("which server? shelf [user@]host[:port]")
			}
			return start(c.Context(), o, args)
		},
	}
	o.add(c)
	c.AddCommand(completionCommand(), manCommand(), receipt.Command(u, func(named string) []string { return o.KnownHostsFiles(named) }), versionCommand())
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetVersionTemplate("{{.Version}}")
	c.SetHelpCommand(helpCommand())
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageErrorf("%s; see shelf --help", flagError(c.Flags(), err))
	})
	c.ValidArgsFunction = completeArgs
	return c
}

// options are the flags before the server.
type options struct {
	connect.Options
	ui      *ui.UI
	timeout time.Duration
}

func (o *options) add(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.SetInterspersed(false)
	f.VarP((*portFlag)(&o.Port), "port", "p", fmt.Sprintf("`PORT` of the server (default %d, or as in ssh_config)", connect.DefaultPort))
	f.StringArrayVarP(&o.Identities, "identity", "i", nil, "log in with the private key in `FILE`; may be repeated")
	f.StringVarP(&o.Jump, "jump", "J", "", "connect through `HOST`, [user@]host[:port]; several with commas")
	f.StringVarP(&o.Config, "config", "F", "", "read `FILE` instead of ~/.ssh/config; none reads no file")
	f.BoolVar(&o.AcceptNew, "accept-new", false, "trust the key of a new host without asking")
	f.StringVar(&o.KnownHosts, "known-hosts", "", "`FILE` of trusted host keys (default ~/.ssh/known_hosts)")
	o.timeout = 2 * time.Minute
	f.Var((*span)(&o.timeout), "timeout", "give up if the server is silent for this `TIME`; 0 waits for ever")
	f.BoolVar(&o.ui.JSON, "json", false, "print lines of JSON, for scripts")
	f.BoolVarP(&o.ui.Quiet, "quiet", "q", false, "print errors only")
	f.BoolVarP(&o.ui.Verbose, "verbose", "v", false, "print details, too")
	f.Bool("version", false, "print the version")
}

func isHelp(word string) bool { return word == "-h" || word == "--help" }

// helpFor is the help command for "shelf WORD --help". The word is a command if the
// server was left out, and a server otherwise.
func helpFor(word string) []string {
	if _, err := find(word); err == nil {
		return []string{"help", word}
	}
	return []string{"help"}
}

// start connects and runs the commands.
func start(ctx context.Context, o options, args []string) error {
	line := args[1:]
	if len(line) > 0 && isHelp(line[0]) {
		line = helpFor(args[0])
	}
	s, err := newSession(o, args[0])
	if err != nil {
		return err
	}
	defer s.hangUp()
	if len(line) > 0 {
		alone, err := needsNoServer(line)
		if err != nil {
			return err
		}
		if alone {
			return ignoreQuit(s.command(ctx, line))
		}
		s.moves = isTransfer(line[0])
	}
	if s.server, err = s.connect(ctx); err != nil {
		return err
	}
	if file := s.server.File; len(line) == 0 && file != "" {
		line = []string{"get", "--", file}
	}
	if len(line) > 0 {
		return s.interruptible(ctx, func(ctx context.Context) error { return ignoreQuit(s.command(ctx, line)) })
	}
	return s.read(ctx)
}
