// Package command answers `ssh HOST COMMAND`: it reads the command line as a
// shell would and runs one of a few commands that are Go functions here. It
// never starts a program, and it reaches files only through [access.Session].
//
//	command.go     Run, and the table of commands
//	arguments.go   splits a command line into arguments, as a shell does
//	expand.go      the files that an argument with wildcards names
//	digest.go      md5sum, sha1sum, sha256sum and sha512sum
//	history.go     versions and restore: what was replaced or removed
//	receipt.go     receipt: what the server has got, signed
//	scp.go         scp -t and scp -f: flags, and what both directions share
//	scp_sink.go    scp -t: the client uploads
//	scp_folder.go  what it sends of a folder, which is refused
//	scp_source.go  scp -f: the client downloads
//	rclone.go      the question by which rclone finds out what shell it talks to
//
// A new command is a function in a file of its own and a row in the table.
package command

import (
	"crypto"
	"fmt"
	"io"
	"strings"

	"shelf/sshd/budget"
	"shelf/vfs"
	"shelf/vfs/access"
)

// The exit statuses of commands. They are those of POSIX utilities.
const (
	exitOK      = 0
	exitFailure = 1
)

// Call is a command line, and what the command may use.
type Call struct {
	Line    string
	Access  *access.Session // the library, as the account may use it
	Channel io.ReadWriter   // stdin and stdout
	Stderr  io.Writer

	// Lost tells, after Channel has come to its end, whether that was because the
	// connection was lost. Otherwise the client has ended it. nil is that nobody
	// knows; then it counts as lost.
	Lost func() bool

	Share *budget.Share // of the account; nil is no limit
}

// Run runs a command line and returns the exit status. An error means that
// nothing was run; it says why, for the person at the client.
func Run(c Call) (status uint32, err error) {
	if c.Line == shellQuestion {
		return answerShellQuestion(c.Channel), nil
	}
	p := &process{Call: c}
	defer p.forget(0)
	if err := p.keep(lineCost * int64(len(c.Line))); err != nil {
		return 0, err
	}
	arguments, err := split(c.Line)
	if err != nil {
		return 0, err
	}
	if len(arguments) > 0 {
		for _, row := range commands() {
			if row.name == arguments[0].text {
				p.name, p.arguments = row.name, arguments[1:]
				return p.run(row), nil
			}
		}
	}
	return 0, fmt.Errorf("it does not run programs; its only commands are %s", commandNames())
}

// run runs a command, which counts as one open file: it has no more at a time.
func (p *process) run(c command) (status uint32) {
	if err := p.Share.Take(budget.OpenFiles, 1); err != nil {
		return p.fail(err)
	}
	defer p.Share.Give(budget.OpenFiles, 1)
	return c.run(p)
}

// command is a row of the table of commands.
type command struct {
	name string
	run  func(*process) (status uint32)
}

// commands is the table of all commands.
func commands() []command {
	return []command{
		{"scp", scp},
		{"md5sum", digest(crypto.MD5)},
		{"sha1sum", digest(crypto.SHA1)},
		{"sha256sum", digest(crypto.SHA256)},
		{"sha512sum", digest(crypto.SHA512)},
		{"receipt", receipt},
		{"versions", versions},
		{"restore", restore},
	}
}

// commandNames lists the names of all commands in a sentence.
func commandNames() string {
	var names []string
	for _, row := range commands() {
		names = append(names, row.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// process is a running command. It belongs to one goroutine.
type process struct {
	Call
	name      string
	arguments []argument
	kept      int64 // bytes of the account's memory
}

// lineCost is the memory that a byte of a command line can take once it is split: each
// second one can be an argument.
const lineCost = 64

// keep takes memory, in bytes.
func (p *process) keep(n int64) error {
	err := p.Share.Take(budget.Memory, n)
	if err == nil {
		p.kept += n
	}
	return err
}

// forget gives memory back, all but the first bytes that were kept.
func (p *process) forget(all int64) {
	p.Share.Give(budget.Memory, p.kept-all)
	p.kept = all
}

// fail prints why the command can't do anything, and returns the exit status.
func (p *process) fail(why error) (status uint32) {
	fmt.Fprintf(p.Stderr, "%s: %v\n", p.name, why)
	return exitFailure
}

// complain prints what went wrong with one file. The command goes on.
func (p *process) complain(name string, why error) {
	fmt.Fprintf(p.Stderr, "%s: %s: %v\n", p.name, vfs.Printable(name), why)
}
