// Command shelfd serves a library, a directory of regular files, over SFTP.
//
// It only turns flags and a configuration file into values, passes them to the
// packages keys, vfs and sshd, and tells people what happens:
//
//	main.go       the command line, and exit statuses
//	settings.go   what can be set, and the defaults
//	libraries.go  the tables of libraries
//	library.go    what must be right with a library's folder
//	accounts.go   the tables of accounts
//	services.go   what each account is served
//	values.go     how times, sizes and the like are written
//	sources.go    and addresses, and what is held against them
//	config.go     the configuration file
//	forms.go      how each kind of value is written in it
//	places.go     and where in it each setting is set
//	serve.go      shelfd serve: from settings to a running server, and its end
//	reload.go     other settings for a running server
//	sandbox.go    what the process gives up before it serves
//	memory.go     how much memory it may hold
//	processors.go and on how many processors it runs
//	checks.go     what must be right before anybody is served
//	entrances.go  that somebody can log in, and how each account can
//	announce.go   the line that says how to connect
//	log.go        the log, and events in it
//	audit.go      a file for the events
//	check.go      shelfd check
//	passwd.go     shelfd passwd, shelfd totp
//	hostkey.go    shelfd hostkey
//	keygen.go     shelfd keygen
//	man.go        shelfd man
//	version.go    shelfd version
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a command line that does not parse, of a command.
type usageError struct {
	error
	command *cobra.Command
}

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on, the next one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) (status int) {
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "shelfd: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(os.Stderr, "Run '%s --help' to see what there is.\n", usage.command.CommandPath())
		return exitUsage
	}
	return exitFailure
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "shelfd",
		Short:         "Serve a directory of files over SFTP, safely",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args:          unknownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{err, c} })
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.AddCommand(serveCommand(), checkCommand(), passwdCommand(), totpCommand(), hostkeyCommand(), keygenCommand(), manCommand(), versionCommand())
	return root
}

// unknownCommand refuses what is not the name of a command.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{fmt.Errorf("there is no command %q%s", args[0], hint), c}
}

// oneArg refuses all but one argument, which is what.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usageError{fmt.Errorf("%s takes %s", c.CommandPath(), what), c}
	}
}

// noArgs refuses arguments after a command that takes none.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s takes flags only, not %q", c.CommandPath(), args[0]), c}
}
