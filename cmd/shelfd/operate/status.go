package operate

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

func statusCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "status",
		Short: "Show how the running server is",
		Long: "Show the version of the running server, what is wrong with it, how much of its\n" +
			"limits is in use, its libraries, and how the last reload went.",
		Args: arguments.None,
	}, func(c *call) error {
		var s admin.Status
		if err := c.get(c.Context(), "status", &s); err != nil {
			return err
		}
		return c.show(s, func(out io.Writer) { showStatus(out, s) })
	})
}

func showStatus(out io.Writer, s admin.Status) {
	fmt.Fprintf(out, "%s, pid %d: %s since %s (%s)\n", s.Version, s.PID, s.State, day(s.Started), lasting(time.Duration(s.Uptime*float64(time.Second))))
	for _, p := range s.Problems {
		fmt.Fprintf(out, "PROBLEM: %s\n", p)
	}
	fmt.Fprintf(out, "\n%s, %s under way; %s received and %s sent since the start\n",
		plural(s.Transfers.Uploads, "upload"), plural(s.Transfers.Downloads, "download"), size(s.Traffic.Received), size(s.Traffic.Sent))
	if s.Bans > 0 {
		fmt.Fprintf(out, "%s turned away after failed logins: shelfd bans\n", plural(s.Bans, "source"))
	}
	fmt.Fprintln(out)
	table(out, "IN USE\tNOW\tLIMIT\tSET BY", func(line func(string, ...any)) {
		for _, l := range s.Limits {
			line("%s\t%s\t%s\t%s", l.Name, amount(l.Use, l.Unit), limit(l.Limit, l.Unit), l.Setting)
		}
	})
	fmt.Fprintln(out)
	table(out, "LIBRARY\tFREE\tOF\tQUOTA\tPARTIALS\tSTATE", func(line func(string, ...any)) {
		for _, l := range s.Libraries {
			state := "ok"
			if l.Problem != "" {
				state = l.Problem
			}
			free, of := "?", "?"
			if l.Free >= 0 {
				free, of = size(l.Free), size(l.Size)
			}
			line("%s\t%s\t%s\t%s\t%d\t%s", l.Name, free, of, limit(l.Quota, "bytes"), l.Partials, state)
		}
	})
	for _, l := range s.Libraries {
		if l.Gate != nil && l.Gate.Held != nil {
			fmt.Fprintf(out, "\n%s: %s with %s held until the verdict of the gate: shelfd quarantine list\n", l.Name, plural(int(l.Gate.Held.Files), "file"), size(l.Gate.Held.Bytes))
		}
	}
	fmt.Fprintln(out)
	showReload(out, s.Reload)
	if s.Audit != nil {
		fmt.Fprintf(out, "Audit log: %d lines written, %d failures\n", s.Audit.Lines, s.Audit.Failures)
	}
}

func showReload(out io.Writer, r *admin.Reload) {
	switch {
	case r == nil:
		fmt.Fprintln(out, "Last reload: none since the start")
	case r.Error == "":
		fmt.Fprintf(out, "Last reload: %s, it worked\n", day(r.Time))
	default:
		fmt.Fprintf(out, "Last reload: %s, it failed, and the old settings stay:\n%s\n", day(r.Time), r.Error)
	}
}

func amount(n int64, unit string) string {
	if unit == "bytes" {
		return size(n)
	}
	return fmt.Sprint(n)
}

// limit is one of which 0 is none.
func limit(n int64, unit string) string {
	if n == 0 {
		return "-"
	}
	return amount(n, unit)
}
