// Command shelfd serves libraries, directories of regular files, over SFTP.
//
// It turns flags and a configuration file into values, with package config, and
// puts a server together from parts that all have the same life: check, open,
// reload, close. What the parts are made of is in packages keys, vfs and sshd.
//
// A file for each command, and what they share:
//
//	main.go         the command line and exit statuses
//	serve.go        shelfd serve
//	check.go        shelfd check
//	explain.go      shelfd explain
//	about.go        shelfd man, shelfd version
//
// Those that make credentials are in package credentials, those that ask a running
// server in package operate, and those that make a server of one's own in package
// install. Package migrate copies a library into another one, package deliver tells others
// of events.
//
// The parts of a server:
//
//	parts.go        what a part is, the list of all, and why one does not start
//	apart.go        that libraries and trusted files lie apart
//	accounts.go     who may log in; entrances.go: how each account can
//	tabled.go       accounts that had a table
//	libraries.go    what is served; package library opens it
//	serves.go       which libraries an account has
//	hostkeys.go     the keys that clients know the server by
//	auditing.go     the record of events, with packages audit and logging
//	listener.go     where clients connect
//	connections.go  serving them; services.go: what each account gets, with package gates
//	sandbox.go      what the process gives up before it serves, with package confine
//	tuning.go       memory and processors, with package tuning
//	admin.go        the admin socket, metrics, health and the page
//	operator.go     what operators see; watched.go: of libraries
//	steering.go     what operators do: end connections, drain, reload, release what was refused
//	supervision.go  what the service manager is told
//	announce.go     the line that says how to connect
//
// To add a part, write a type with the four methods of part, and put it into the
// list in parts.go.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/credentials"
	"shelf/cmd/shelfd/deliver"
	"shelf/cmd/shelfd/gatekeeper"
	"shelf/cmd/shelfd/install"
	"shelf/cmd/shelfd/logging"
	"shelf/cmd/shelfd/migrate"
	"shelf/cmd/shelfd/operate"
	"shelf/cmd/shelfd/scanner"
	"shelf/cmd/shelfd/supervise"
)

// The exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops the server; a second one kills it.
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
	if told := (logged{}); errors.As(err, &told) {
		return exitFailure
	}
	fmt.Fprintf(os.Stderr, "shelfd: %v\n", err)
	var usage arguments.Mistake
	if errors.As(err, &usage) {
		fmt.Fprintf(os.Stderr, "Run '%s --help' for its flags and commands.\n", usage.Command.CommandPath())
		return exitUsage
	}
	return exitFailure
}

// logged is an error that the log has told.
type logged struct{ error }

func (e logged) Unwrap() error { return e.error }

// lastWords has the log tell why the server ends, where each line of it is JSON.
func lastWords(err error, format config.LogFormat, stderr io.Writer) error {
	if err == nil || !format.JSON {
		return err
	}
	log := logging.New(stderr, format, slog.LevelError)
	if p := (*problem)(nil); errors.As(err, &p) && p.Error() == err.Error() { // and nothing else
		log.Error(p.what, "where", strings.TrimSuffix(p.where, ": "), "reason", p.err, "remedy", strings.Join(strings.Fields(p.remedy), " "))
	} else {
		log.Error("shelfd ends", "reason", err)
	}
	return logged{err}
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
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.AddCommand(serveCommand(), checkCommand(),
		credentials.Passwd(), credentials.TOTP(), credentials.Hostkey(), credentials.Keygen(), audit.Command(), deliver.Command("shelfd/"+cmp.Or(about().Version, "unknown")), install.Init(), install.Add(), migrate.Command(), explainCommand(), manCommand(), versionCommand())
	root.AddCommand(operate.Commands()...)
	root.AddCommand(supervise.Commands()...)
	root.AddCommand(gatekeeper.Command(), scanner.Command())
	return root
}

// flagError adds to the error of an unknown flag the nearest that exists.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" && unknown.GetSpecifiedName() != "p" {
		return arguments.Mistake{Err: err, Command: c}
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := c.Flags().Lookup(config.Nearest(unknown.GetSpecifiedName(), names))
	if near.Name != "help" {
		_, usage := pflag.UnquoteUsage(near)
		err = fmt.Errorf("%w; the nearest is --%s: %s", err, near.Name, usage)
	}
	return arguments.Mistake{Err: err, Command: c}
}

// unknownCommand refuses a command that does not exist.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return arguments.Mistake{Err: fmt.Errorf("there is no command %q%s", args[0], hint), Command: c}
}
