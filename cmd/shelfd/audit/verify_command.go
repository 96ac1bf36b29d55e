package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/vfs"
)

// verifyCommand is shelfd audit verify.
func verifyCommand() *cobra.Command {
	var known string
	var least uint64
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Tell whether an audit log was changed",
		Long: "Check all files of one audit log: that each line follows the one before it, and that\n" +
			"the checkpoints among them are signed with a host key of the server. The keys are\n" +
			"those of the state folder, also those that were in use before; or, on another\n" +
			"machine, those of a file of known hosts. Exits with status 1 if something was\n" +
			"changed, taken out, put in or moved.\n\n" +
			"What it cannot know: whether lines were cut off behind the last one (say how many\n" +
			"there must be with --at-least, from a place that nobody could change), and what\n" +
			"somebody did who has the host key.",
		Example: "  shelfd audit verify /var/log/shelf.jsonl* --known-hosts known_hosts",
		Args:    someFiles,
		RunE: func(c *cobra.Command, files []string) error {
			trusted, err := trustedKeys(c, known)
			if err != nil {
				return err
			}
			v, err := Verify(files, trusted)
			if err != nil {
				return err
			}
			if v.Last < least {
				v.Findings = append(v.Findings, Finding{files[len(files)-1], fmt.Sprintf("there must be %d lines: the last are missing", least)})
			}
			return v.print(c.OutOrStdout())
		},
	}
	config.AddFlags(c.Flags(), "state")
	c.Flags().StringVar(&known, "known-hosts", "", "`file` of known hosts with the keys of the server")
	c.Flags().Uint64Var(&least, "at-least", 0, "the `number` of a line that there was")
	return c
}

// trustedKeys are the keys of a file of known hosts, or of the state folder.
func trustedKeys(c *cobra.Command, known string) ([]ssh.PublicKey, error) {
	if known != "" {
		return knownHosts(known)
	}
	s, err := config.Load(c.Flags())
	if err != nil {
		return nil, err
	}
	now, err1 := keys.OpenHostKeys(s.State)
	all, err2 := keys.OldHostKeys(s.State)
	for _, signer := range append(now.Current, now.Next...) {
		all = append(all, signer.PublicKey())
	}
	return all, errors.Join(err1, err2)
}

// knownHosts are the keys of a file of known hosts, for whatever hosts.
func knownHosts(file string) (all []ssh.PublicKey, err error) {
	rest, err := os.ReadFile(file)
	for err == nil {
		var marker string
		var key ssh.PublicKey
		marker, _, key, _, rest, err = ssh.ParseKnownHosts(rest)
		if err == nil && marker == "" {
			all = append(all, key)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s has no key", file)
	}
	return all, err
}

// print says what was found, and what can't be known.
func (v Verdict) print(out io.Writer) error {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	for _, f := range v.Findings {
		say("%s: %s", f.Where, vfs.Escape(f.What))
	}
	if v.Lines == 0 {
		return errors.New("there is no line of an audit log")
	}
	say("%d lines of %s, %d to %d.", v.Lines, vfs.Escape(strings.Join(v.Hosts, ", ")), v.First, v.Last)
	if v.First > 1 {
		say("What was before line %d is not here.", v.First)
	}
	if v.Covered > 0 {
		say("Signed up to line %d, with %s.", v.Covered, strings.Join(v.Signers, ", "))
	}
	if v.Covered < v.Last {
		say("Not signed yet: lines %d to %d. Who can write the file may have made them.", max(v.First, v.Covered+1), v.Last)
	}
	if v.Covered < v.Last && time.Since(v.Waiting) > longest {
		say("They wait since %s. A server that runs signs within a minute: it was killed and not started again, or somebody cut the end off and wrote another.", v.Waiting.UTC().Format(time.RFC3339))
	}
	for _, where := range v.Torn {
		say("%s: not a whole line: the server was cut off, or the disk was full. What follows goes on from the line before.", where)
	}
	if n := len(v.Findings); n > 0 {
		return fmt.Errorf("the log was changed or is damaged: %d findings", n)
	}
	say("What was here of it is as it was written. Whether more was, behind line %d, cannot be known from this.", v.Last)
	return nil
}
