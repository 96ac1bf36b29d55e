package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shelf/cmd/shelfd/arguments"
	"shelf/vfs"
)

// whoCommand is shelfd audit who.
func whoCommand() *cobra.Command {
	var asked question
	c := &cobra.Command{
		Use:   "who FILE...",
		Short: "Show who did what",
		Long: "Show the events of audit logs that fit all flags, in a table, in the order in which\n" +
			"they happened. Files whose names end in .gz are unpacked; - is stdin. Times are\n" +
			"UTC. Exits with status 1 if there is no such event.",
		Example: "  shelfd audit who /var/log/shelf.jsonl* --name invoice.pdf\n" +
			"  shelfd audit who /var/log/shelf.jsonl --account ada --op put,remove --since 24h",
		Args: someFiles,
		RunE: func(c *cobra.Command, files []string) error {
			q, err := asked.query(time.Now())
			if err != nil {
				return arguments.Mistake{Err: err, Command: c}
			}
			return who(files, q, asked.json, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	asked.flags(c.Flags())
	return c
}

// question is a [Query] as it is asked on a command line.
type question struct {
	Query
	source, since, until string
	json                 bool
}

func (q *question) flags(f *pflag.FlagSet) {
	f.StringVar(&q.Account, "account", "", "events of this account")
	f.StringVar(&q.Name, "name", "", "events about a file of this name, before or after a rename; a `pattern` with * and ? is fine")
	f.StringVar(&q.Library, "library", "", "events in this library")
	f.StringVar(&q.Key, "key", "", "events of who used this key: its `fingerprint`, or how that begins, or the id of a certificate")
	f.StringVar(&q.source, "source", "", "events from this `address` or network")
	f.StringVar(&q.Conn, "conn", "", "events of this connection")
	f.StringSliceVar(&q.Ops, "op", nil, "events of these operations, as put,remove")
	f.StringSliceVar(&q.Results, "result", nil, "events with these results: ok, refused, failed, cut, uncertain")
	f.StringVar(&q.since, "since", "", "events from this `time` on: 2026-01-31, 2026-01-31T10:00, or 24h for the last day")
	f.StringVar(&q.until, "until", "", "events before this `time`")
	f.BoolVar(&q.json, "json", false, "print the lines as they are, and no table")
}

// query is the question with all that it says understood.
func (q question) query(now time.Time) (Query, error) {
	asked, err := q.Query, error(nil)
	if _, bad := path.Match(q.Name, ""); bad != nil {
		err = fmt.Errorf("--name: %q is no pattern", q.Name)
	}
	if q.source != "" {
		network, wrong := netip.ParsePrefix(q.source)
		if address, is := netip.ParseAddr(q.source); is == nil {
			network, wrong = address.Unmap().Prefix(address.Unmap().BitLen())
		}
		if asked.Source = network; wrong != nil {
			err = errors.Join(err, fmt.Errorf("--source: %q is no address or network", q.source))
		}
	}
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", q.since, &asked.Since}, {"until", q.until, &asked.Until}} {
		var wrong error
		if *t.to, wrong = parseTime(t.text, now); wrong != nil {
			err = errors.Join(err, fmt.Errorf("--%s: %w", t.flag, wrong))
		}
	}
	return asked, err
}

// parseTime reads a time in UTC, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 2026-01-31, 2026-01-31T10:00 or 24h", text)
}

// maxBad is how many lines that are none are named.
const maxBad = 5

// Show prints what fits in a table, and notes what is no line of a log.
func Show(files []string, q Query, out, notes io.Writer) error {
	return who(files, q, false, out, notes)
}

// who prints what fits.
func who(files []string, q Query, raw bool, out, notes io.Writer) error {
	t := newTable(out)
	found, bad := 0, 0
	for _, file := range InOrder(files) {
		for e, err := range Read(file) {
			switch wrong := (BadLine{}); {
			case errors.As(err, &wrong):
				if bad++; bad <= maxBad {
					fmt.Fprintln(notes, err)
				}
				continue
			case err != nil:
				return err
			case !q.Match(e.Line):
				continue
			case raw:
				fmt.Fprintf(out, "%s\n", e.Text)
			default:
				t.add(e.Line)
			}
			found++
		}
	}
	t.flush()
	if bad > maxBad {
		fmt.Fprintf(notes, "%d more lines are none of an audit log.\n", bad-maxBad)
	}
	if found == 0 {
		return errors.New("no event fits")
	}
	return nil
}

// table prints lines for people.
type table struct {
	*tabwriter.Writer
	rows int
}

// maxAligned is how many rows are aligned with each other.
const maxAligned = 1000

func newTable(out io.Writer) *table {
	return &table{Writer: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
}

func (t *table) add(l Line) {
	if t.rows%maxAligned == 0 {
		t.flush()
		fmt.Fprintln(t, "TIME\tWHO\tFROM\tDID\tRESULT\tFILE\tSIZE\tMORE")
	}
	t.rows++
	cells := []string{
		l.Time.UTC().Format("2006-01-02 15:04:05"), cmp.Or(l.Operator, l.Account, "-"), cmp.Or(l.Source, "-"), l.Op, l.Result,
		cmp.Or(l.file(), "-"), l.bytes(), l.more(),
	}
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(vfs.Escape(cell), "\t", " ") // the file may not be what it seems
	}
	fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t *table) flush() { t.Flush() }

func (l Line) file() string {
	name := l.Name
	if l.Target != "" {
		name += " -> " + l.Target
	}
	if l.Library != "" && l.Library != "library" && name != "" {
		name = l.Library + "/" + name
	}
	return name
}

func (l Line) bytes() string {
	switch {
	case l.Size != nil:
		return fmt.Sprint(*l.Size)
	case l.Bytes > 0:
		return fmt.Sprint(l.Bytes)
	}
	return "-"
}

// more is what else matters, in words.
func (l Line) more() string {
	var all []string
	say := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	say(l.Reason != "", "%s", l.Reason)
	say(l.New, "new")
	if r := l.Replaced; r != nil {
		say(true, "replaced %d bytes", r.Size)
		say(r.SHA256 != "", "of sha256 %.12s", r.SHA256)
	}
	say(l.SHA256 != "", "sha256 %.12s", l.SHA256)
	say(l.Gate != "", "gate: %s", l.Gate)
	if c := l.Cert; c != nil {
		say(true, "certificate %s serial %d", c.ID, c.Serial)
	}
	say(l.Key != "", "key %.19s", l.Key)
	say(l.Key == "" && l.Method != "", "%s", l.Method)
	say(l.Operator != "" && l.Account != "", "account %s", l.Account)
	say(l.Note != "", "note: %s", l.Note)
	say(l.Lines > 0, "%d lines are missing", l.Lines)
	say(l.Omitted > 0, "%d events were left out", l.Omitted)
	say(l.Conn != "", "conn %s", l.Conn)
	return strings.Join(all, ", ")
}
