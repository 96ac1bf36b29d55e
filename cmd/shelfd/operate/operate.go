// Package operate has the commands that ask a running server, or steer it, over its
// admin socket.
//
//	operate.go  Commands, and what they have in common
//	client.go   the requests
//	status.go   shelfd status
//	who.go      shelfd who
//	watch.go    shelfd who --watch
//	kick.go     shelfd kick
//	bans.go     shelfd bans, shelfd unban
//	usage.go    shelfd usage
//	quarantine.go  shelfd quarantine
//	drain.go    shelfd drain
//	reload.go   shelfd reload
//	health.go   shelfd health
//	words.go    sizes and times, as people read them
//
// Each prints for people or, with --json, what the server has answered.
package operate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/config"
)

// Commands are all of them.
func Commands() []*cobra.Command {
	return []*cobra.Command{statusCommand(), whoCommand(), kickCommand(), bansCommand(), unbanCommand(),
		usageCommand(), quarantineCommand(), drainCommand(), reloadCommand(), healthCommand()}
}

// call is a command that runs.
type call struct {
	*cobra.Command
	*client
	args []string
	json bool
}

// asking makes a command of one that asks the server.
func asking(c *cobra.Command, run func(*call) error) *cobra.Command {
	config.AddFlags(c.Flags(), "state", "admin_socket")
	asJSON := c.Flags().Bool("json", false, "print the answer as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := config.Load(c.Flags())
		if err != nil {
			return err
		}
		server := newClient(s.AdminSocket)
		defer server.close()
		return run(&call{Command: c, client: server, args: args, json: *asJSON})
	}
	return c
}

// show prints an answer: as JSON, or by the function for people.
func (c *call) show(answer any, people func(io.Writer)) error {
	out := c.OutOrStdout()
	if !c.json {
		people(out)
		return nil
	}
	return printJSON(out, answer)
}

// printJSON prints a value as a line of JSON. What a terminal might act on is
// escaped in it, also what JSON would leave as it is.
func printJSON(out io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default: // it can only be in a string
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "\\u%04x", unit)
			}
		}
	}
	_, err = fmt.Fprintln(out, b.String())
	return err
}

// table writes rows in columns.
func table(out io.Writer, head string, rows func(line func(format string, args ...any))) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	rows(func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) })
	w.Flush()
}
