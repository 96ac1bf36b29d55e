package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand writes the manual page, made from the same tables as the help.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Write the manual page",
		Long:  "Write the manual page. To read it: shelf man | man -l -",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf("man takes no arguments")
			}
			writeMan(c.OutOrStdout(), c.Root())
			return nil
		},
	}
}

func writeMan(out io.Writer, root *cobra.Command) {
	m := &roff{}
	m.raw(".TH SHELF 1")
	m.section("NAME")
	m.text("shelf - " + strings.ToLower(root.Short[:1]) + root.Short[1:])
	m.section("SYNOPSIS")
	m.text(root.Use)
	m.section("DESCRIPTION")
	m.text("A client for a library, a flat folder of files, served over SFTP by shelfd(8), and for the folders of any other server. " +
		"Without a command there is a prompt, with history and completion. Commands can also come from a pipe, one per line; the first that fails ends the program.")
	m.text("Instead of [user@]host[:port] there may be a URL, sftp://[user@]host[:port][/path]; a file that it names is downloaded if there is no command. The path starts at the home folder, and with a second slash at the root.")
	m.text("shelf help [command], shelf verify RECEIPT FILE, shelf version, shelf man and shelf completion need no server.")
	m.section("OPTIONS")
	m.flags(root.Flags())
	m.section("COMMANDS")
	for _, c := range commands() {
		m.entry(c.usage, strings.ToUpper(c.summary[:1])+c.summary[1:]+".")
		m.indented(c.more)
		m.flags(c.flagSet(&flags{}))
		m.raw(".RE")
	}
	m.section("EXIT STATUS")
	for i, what := range statuses() {
		m.entry(fmt.Sprint(i), what)
		m.raw(".RE")
	}
	m.section("FILES")
	m.entry("~/.ssh/config", "is read for HostName, Port, User, IdentityFile, IdentitiesOnly, CertificateFile, ProxyJump, UserKnownHostsFile, GlobalKnownHostsFile, StrictHostKeyChecking and UpdateHostKeys, below Host, Match host and Match all. ProxyCommand is refused.")
	m.raw(".RE")
	m.entry("~/.local/state/shelf/history-*", "has the lines that were typed, a file for each server. With $XDG_STATE_HOME it is in that folder.")
	m.raw(".RE")
	m.entry(".shelf-*.part", "is the beginning of a file that is being downloaded, in the folder where the file will be.")
	m.raw(".RE")
	m.section("EXAMPLES")
	m.example(root.Example)
	m.section("SEE ALSO")
	m.text("sftp(1), ssh_config(5), shelfd(8)")
	io.WriteString(out, m.String())
}

// roff writes text in the language of man(7).
type roff struct{ strings.Builder }

func (m *roff) raw(line string) { m.WriteString(line + "\n") }

// text writes a paragraph. What is special to roff is escaped.
func (m *roff) text(s string) {
	m.raw(".PP")
	m.lines(s)
}

func (m *roff) lines(s string) {
	for line := range strings.Lines(s) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), `\`, `\e`)
		line = strings.ReplaceAll(line, "-", `\-`)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		m.raw(line)
	}
}

func (m *roff) section(name string) { m.raw(".SH " + name) }

// entry starts an item of a list. It ends with .RE.
func (m *roff) entry(term, what string) {
	m.raw(".TP")
	m.raw(`.B "` + strings.NewReplacer(`\`, `\e`, `"`, `\(dq`, "-", `\-`).Replace(term) + `"`)
	m.lines(what)
	m.raw(".RS")
}

func (m *roff) indented(s string) {
	if s != "" {
		m.text(s)
	}
}

func (m *roff) flags(f *pflag.FlagSet) {
	f.VisitAll(func(f *pflag.Flag) {
		name, usage := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		if name != "" {
			term += " " + name
		}
		m.entry(term, usage)
		m.raw(".RE")
	})
}

func (m *roff) example(s string) {
	m.raw(".nf")
	m.lines(s)
	m.raw(".fi")
}
