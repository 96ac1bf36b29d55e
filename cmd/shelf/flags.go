package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/transfer"
)

// flags are the flags of all commands. Each command has some of them.
type flags struct {
	json     bool
	long     bool
	byTime   bool
	bySize   bool
	reverse  bool
	force    bool
	checksum bool
	dryRun   bool
	down     bool
	topOnly  bool
	retry    uint
	receipt  string // folder
	jobs     jobs
	limit    byteRate
	settle   span
}

// defaultJobs is how many files are moved at a time.
const defaultJobs = 4

func jsonFlag(f *pflag.FlagSet, o *flags) {
	f.BoolVar(&o.json, "json", false, "print lines of JSON, for scripts")
}

func listFlags(f *pflag.FlagSet, o *flags) {
	f.BoolVarP(&o.long, "long", "l", false, "show sizes in bytes, and times with seconds")
	f.BoolVarP(&o.byTime, "time", "t", false, "sort by time, newest first")
	f.BoolVarP(&o.bySize, "size", "S", false, "sort by size, largest first")
	f.BoolVarP(&o.reverse, "reverse", "r", false, "reverse the order")
	jsonFlag(f, o)
}

func transferFlags(f *pflag.FlagSet, o *flags) {
	f.BoolVar(&o.checksum, "checksum", false, "compare the SHA-256 of each file with the server's")
	o.jobs = defaultJobs
	f.VarP(&o.jobs, "jobs", "j", fmt.Sprintf("move `N` files at a time, up to %d", sftp.MostChannels))
	f.Var(&o.limit, "limit", "move at most `RATE` bytes a second in all, such as 500K or 2M")
	jsonFlag(f, o)
}

// retryFlag is for transfers that one lost connection should not end. A watch tries
// again by itself.
func retryFlag(f *pflag.FlagSet, o *flags) {
	const usual = 3
	f.UintVar(&o.retry, "retry", usual, "connect again up to `N` times if the connection is lost")
}

func getFlags(f *pflag.FlagSet, o *flags) {
	f.BoolVarP(&o.force, "force", "f", false, "replace files that are here already, without asking")
	transferFlags(f, o)
	retryFlag(f, o)
}

func putFlags(f *pflag.FlagSet, o *flags) {
	transferFlags(f, o)
	retryFlag(f, o)
	f.StringVar(&o.receipt, "receipt", "", "keep the receipt of each file here, or in `DIR`: NAME.receipt, signed in NAME.receipt.sig")
	f.Lookup("receipt").NoOptDefVal = "."
}

func renameFlags(f *pflag.FlagSet, o *flags) {
	f.BoolVarP(&o.force, "force", "f", false, "replace a file that has the new name")
}

func removeFlags(f *pflag.FlagSet, o *flags) {
	f.BoolVarP(&o.force, "force", "f", false, "do not ask")
}

func syncFlags(f *pflag.FlagSet, o *flags) {
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "only show what would be done")
	f.BoolVar(&o.down, "down", false, "download instead, and replace what differs here")
	f.BoolVar(&o.topOnly, "top-only", false, "leave folders out without an error")
	transferFlags(f, o)
	retryFlag(f, o)
}

func watchFlags(f *pflag.FlagSet, o *flags) {
	o.settle = span(2 * time.Second)
	f.Var(&o.settle, "settle", "upload a file when it has not changed for this `TIME`")
	transferFlags(f, o)
}

// flagSet is the flags of a command. It sets o to the defaults.
func (c command) flagSet(o *flags) *pflag.FlagSet {
	f := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	if c.flags != nil {
		c.flags(f, o)
	}
	return f
}

// parse splits what follows a command into flags and arguments.
func (c command) parse(line []string) (*flags, []string, error) {
	o := &flags{}
	f := c.flagSet(o)
	if err := f.Parse(line); errors.Is(err, pflag.ErrHelp) {
		return nil, nil, errHelp
	} else if err != nil {
		return nil, nil, usageErrorf("%s: %s; see help %s%s", c.name, flagError(f, err), c.name, dashed(err))
	}
	return o, f.Args(), nil
}

// errHelp means that -h or --help was given.
var errHelp = errors.New("help")

// flagNames is the flags of a command as they are typed.
func (c command) flagNames() (all []string) {
	c.flagSet(&flags{}).VisitAll(func(f *pflag.Flag) { all = append(all, "--"+f.Name) })
	return all
}

// options is the flags as package transfer takes them.
func (o *flags) options(quiet bool) transfer.Options {
	return transfer.Options{Quiet: quiet, Force: o.force, Checksum: o.checksum, DryRun: o.dryRun, TopOnly: o.topOnly, Retry: int(o.retry), Receipts: o.receipt,
		Jobs: int(o.jobs), Limit: int64(o.limit), Settle: time.Duration(o.settle)}
}
