package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// choices are the flags of all commands; each has some of them.
type choices struct {
	json     bool
	long     bool
	byTime   bool
	bySize   bool
	reverse  bool
	force    bool
	checksum bool
	dryRun   bool
	noLinks  bool // no flag: what comes from a folder may have become a link
	jobs     atATime
	limit    byteRate
	settle   span
}

// defaultJobs is how many files are moved at a time.
const defaultJobs = 4

func jsonFlag(f *pflag.FlagSet, o *choices) {
	f.BoolVar(&o.json, "json", false, "a line of JSON for each thing that there is to say")
}

func listFlags(f *pflag.FlagSet, o *choices) {
	f.BoolVarP(&o.long, "long", "l", false, "sizes in bytes, and times to the second")
	f.BoolVarP(&o.byTime, "time", "t", false, "sort by time, newest first")
	f.BoolVarP(&o.bySize, "size", "S", false, "sort by size, largest first")
	f.BoolVarP(&o.reverse, "reverse", "r", false, "in reverse")
	jsonFlag(f, o)
}

func transferFlags(f *pflag.FlagSet, o *choices) {
	f.BoolVar(&o.checksum, "checksum", false, "compare the SHA-256 of each file with the server's")
	o.jobs = defaultJobs
	f.VarP(&o.jobs, "jobs", "j", fmt.Sprintf("move `N` files at a time, up to %d", mostChannels))
	f.Var(&o.limit, "limit", "move no more than `RATE` bytes a second in all, such as 500K or 2M")
	jsonFlag(f, o)
}

func getFlags(f *pflag.FlagSet, o *choices) {
	f.BoolVarP(&o.force, "force", "f", false, "replace files that are here already, without asking")
	transferFlags(f, o)
}

func renameFlags(f *pflag.FlagSet, o *choices) {
	f.BoolVarP(&o.force, "force", "f", false, "replace a file that has the new name")
}

func removeFlags(f *pflag.FlagSet, o *choices) {
	f.BoolVarP(&o.force, "force", "f", false, "do not ask")
}

func syncFlags(f *pflag.FlagSet, o *choices) {
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "only say what would be uploaded")
	transferFlags(f, o)
}

func watchFlags(f *pflag.FlagSet, o *choices) {
	o.settle = span(2 * time.Second)
	f.Var(&o.settle, "settle", "upload a file that has not changed for this `TIME`")
	transferFlags(f, o)
}

// flagSet is that of a command, with the defaults in o.
func (c command) flagSet(o *choices) *pflag.FlagSet {
	f := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	if c.flags != nil {
		c.flags(f, o)
	}
	return f
}

// parse takes the flags out of the words after a command.
func (c command) parse(words []string) (*choices, []string, error) {
	o := &choices{}
	f := c.flagSet(o)
	if err := f.Parse(words); errors.Is(err, pflag.ErrHelp) {
		return nil, nil, errHelp
	} else if err != nil {
		return nil, nil, usageErrorf("%s: %s; help %s tells what there is%s", c.name, flagError(f, err), c.name, dashed(err))
	}
	return o, f.Args(), nil
}

// errHelp is -h.
var errHelp = errors.New("help")

// flagWords are the flags of a command as they are typed.
func (c command) flagWords() (all []string) {
	c.flagSet(&choices{}).VisitAll(func(f *pflag.Flag) { all = append(all, "--"+f.Name) })
	return all
}
