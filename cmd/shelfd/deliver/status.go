package deliver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/deliver/tail"
	"shelf/vfs"
)

// Status is how it is with all receivers, for people and scripts.
type Status struct {
	Running   bool     `json:"running"` // a process delivers
	Receivers []Report `json:"receivers"`
}

// Report is how it is with a receiver.
type Report struct {
	Name      string              `json:"name"`
	Where     string              `json:"where,omitempty"`
	Key       string              `json:"public_key,omitempty"`
	State     string              `json:"state"` // "ok", "failing", "off" or "wrong"
	Reason    string              `json:"reason,omitempty"`
	Waiting   int                 `json:"waiting"` // events that were read and are not delivered
	Failing   int                 `json:"failing"` // of these, those that were tried
	Oldest    *time.Time          `json:"oldest,omitempty"`
	Pause     *time.Time          `json:"pause_until,omitempty"`
	Delivered *time.Time          `json:"last_delivery,omitempty"`
	Logs      map[string]Position `json:"logs,omitempty"`
}

// Position is how far a receiver is in a log.
type Position struct {
	Read uint64 `json:"read"` // the number of the last line that was read
	Last uint64 `json:"last"` // of the last that there is
}

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what was delivered, and what waits and why",
		Long: "Show how far each receiver is, from the journals of shelfd deliver, which need not\n" +
			"run. Exits with status 1 if a receiver fails or is turned off.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := config.Load(c.Flags())
			if err != nil {
				return err
			}
			status, err := statusOf(s)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(c.OutOrStdout()).Encode(status)
			} else {
				status.show(c.OutOrStdout(), time.Now())
			}
			return cmp.Or(err, status.problem())
		},
	}
	config.AddFlags(c.Flags(), "state")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, for scripts")
	return c
}

// statusOf reads the journals.
func statusOf(s config.Settings) (Status, error) {
	folder := folderOf(s)
	status := Status{Running: held(folder), Receivers: []Report{}}
	good, _ := Receivers(s, "")
	for _, d := range s.Deliver {
		r := Report{Name: d.Name, State: "wrong", Reason: "its settings have a mistake: shelfd check"}
		if i := slices.IndexFunc(good, func(r Receiver) bool { return r.Name == d.Name }); i >= 0 {
			r = Report{Name: d.Name, Where: good[i].Where, Key: good[i].Key, State: "ok"}
			good[i].sender.close()
		}
		if names.MatchString(d.Name) {
			journal, _, err := readJournal(journalOf(folder, d.Name))
			if err != nil {
				return status, err
			}
			r.tell(journal)
		}
		status.Receivers = append(status.Receivers, r)
	}
	return status, nil
}

// tell takes over what the journal says.
func (r *Report) tell(s *state) {
	q := s.waiting()
	r.Waiting = len(q.all)
	var last *event
	for _, e := range q.all {
		if e.tries > 0 {
			if r.Failing++; last == nil || e.tried.After(last.tried) {
				last = e
			}
		}
	}
	if e := q.oldest(); e != nil {
		r.Oldest = &e.Time.Time
	}
	if s.pause.After(time.Now()) {
		r.Pause = &s.pause
	}
	if !s.delivered.IsZero() {
		r.Delivered = &s.delivered
	}
	switch {
	case r.State == "wrong":
	case s.off != "":
		r.State, r.Reason = "off", s.off
	case last != nil:
		r.State, r.Reason = "failing", last.reason
	}
	for path, place := range s.places {
		if r.Logs == nil {
			r.Logs = make(map[string]Position)
		}
		end, err := tail.End(path)
		if err != nil {
			end = place
		}
		r.Logs[path] = Position{place.Seq, end.Seq}
	}
}

// show prints it for people.
func (s Status) show(out io.Writer, now time.Time) {
	if !s.Running {
		fmt.Fprintln(out, "No shelfd deliver runs with this state.")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVER\tSTATE\tWAITING\tFAILING\tOLDEST\tLAST DELIVERY\tREAD")
	for _, r := range s.Receivers {
		read := ""
		for _, path := range slices.Sorted(maps.Keys(r.Logs)) {
			read += fmt.Sprintf(" %d of %d", r.Logs[path].Read, r.Logs[path].Last)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", vfs.Escape(r.Name), r.State, r.Waiting, r.Failing, since(r.Oldest, now), since(r.Delivered, now), cmp.Or(read, " -")[1:])
	}
	w.Flush()
	for _, r := range s.Receivers {
		if r.Reason != "" {
			fmt.Fprintf(out, "%s: %s\n", vfs.Escape(r.Name), vfs.Escape(r.Reason))
		}
		if r.Pause != nil {
			fmt.Fprintf(out, "%s: it asked to be left alone until %s\n", vfs.Escape(r.Name), r.Pause.UTC().Format(time.RFC3339))
		}
		if r.Key != "" {
			fmt.Fprintf(out, "%s: its messages are signed by %s\n", vfs.Escape(r.Name), r.Key)
		}
	}
}

func since(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return now.Sub(*t).Round(time.Second).String() + " ago"
}

// problem is that a receiver does not get its events.
func (s Status) problem() error {
	for _, r := range s.Receivers {
		if r.State != "ok" {
			return fmt.Errorf("the receiver %q is %s", r.Name, r.State)
		}
	}
	return nil
}
