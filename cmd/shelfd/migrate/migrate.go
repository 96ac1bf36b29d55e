// Package migrate is the command shelfd migrate: it copies the files of one library
// into another one, from a folder to a bucket or the other way round.
//
//	migrate.go  the command
//	places.go   which libraries are meant
//	mover.go    all files, some of them at a time
//	file.go     one file: is it there already, may it be replaced, is it whole
//	copy.go     one upload, which may go on where an earlier one was cut
//	record.go   what earlier runs have done
//	report.go   what is told of it
//
// Both libraries are opened as a server opens them, which may serve them meanwhile: each
// file is read as one version, and is published whole or not at all.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/cmd/shelfd/logging"
)

// options are what can be asked of a run.
type options struct {
	account string
	dry     bool
	replace bool
	jobs    int
	verbose bool
}

// Command is the command shelfd migrate.
func Command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "migrate FROM TO",
		Short: "Copy the files of a library into another one, and verify them",
		Long: "Copy the files of a library into another one, as from a folder to a bucket,\n" +
			"with their times and modes, and read each back to compare its SHA-256. FROM\n" +
			"and TO are names of libraries in the configuration; a folder may be given by\n" +
			"its path. Nothing is removed.\n\n" +
			"It may be run again, after it was stopped or killed too: what is there already\n" +
			"is not copied again. A file that TO had before is left alone if it is another\n" +
			"one. Servers may serve both libraries meanwhile; what their clients change\n" +
			"needs another run. Exits with status 1 if a file of FROM is not in TO then.",
		Example: "  shelfd migrate default archive --config shelfd.toml --dry-run\n" +
			"  shelfd migrate /srv/old archive --config shelfd.toml",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return arguments.Mistake{Err: errors.New("shelfd migrate takes two libraries: the one that has the files, and the one that gets them"), Command: c}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			s, err := config.Load(c.Flags())
			if err != nil {
				return err
			}
			if o.jobs < 1 {
				return arguments.Mistake{Err: errors.New("--jobs takes a number from 1 on"), Command: c}
			}
			return run(c.Context(), s, args[0], args[1], o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	config.AddFlags(c.Flags(), "state")
	f := c.Flags()
	f.StringVar(&o.account, "account", "", "the `name` of the account whose library is meant, where each has its own (%u)")
	f.BoolVarP(&o.dry, "dry-run", "n", false, "copy nothing, and say what would be done")
	f.BoolVar(&o.replace, "replace", false, "replace files that TO had before and that are others")
	f.IntVar(&o.jobs, "jobs", 8, "how `many` small files are copied at a time")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "name each file that is copied, or in TO alone")
	return c
}

// run copies, and tells what it did.
func run(ctx context.Context, s config.Settings, from, to string, o options, out, faults io.Writer) error {
	p, err := placesOf(s, from, to, o.account)
	if err != nil {
		return err
	}
	log := logging.New(faults, config.LogFormat{}, nil)
	set := library.New(p.settings, log, nil)
	defer set.Close()
	m := &mover{options: o, report: &report{out: out, faults: faults, verbose: o.verbose, dry: o.dry}}
	var leave func()
	if m.from, leave, err = open(ctx, set, p.from, o.account); err != nil {
		return err
	}
	defer leave()
	if m.to, leave, err = open(ctx, set, p.to, o.account); err != nil {
		return err
	}
	defer leave()
	m.owner = p.owner()
	if !p.from.bucket {
		m.folder = p.from.where
	}
	if m.known, err = openRecord(s.State, p.what(), o.dry); err != nil {
		return err
	}
	defer m.known.close()
	fmt.Fprintf(out, "From %s\nto   %s\n", p.from.where, p.to.where)
	err = m.all(ctx)
	return errors.Join(err, m.report.end(err == nil))
}
