package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

// session runs commands on one server, one after the other. It connects again after
// a lost connection.
type session struct {
	ui      *ui.UI
	name    string // of the server, as user@host:port
	addr    string // of the server, as host:port
	connect func(context.Context) (*sftp.Client, error)
	server  *sftp.Client
	folder  string   // of the server, where cd has gone; "" is where we came in
	reads   bool     // commands come from stdin
	moves   bool     // the only command is a transfer
	away    bool     // the lost connection was reported
	cut     []string // the last command, if it was a transfer and the connection was lost
}

// newSession finds out which server is meant. It does not connect.
func newSession(o options, where string) (*session, error) {
	to, err := connect.Find(o.Options, where)
	if err != nil {
		return nil, err
	}
	s := &session{ui: o.ui, name: to.String(), addr: to.Addr()}
	s.connect = func(ctx context.Context) (*sftp.Client, error) {
		client, err := to.Dial(ctx)
		if err != nil {
			return nil, err
		}
		server, err := sftp.New(ctx, client, sftp.Options{Path: to.Path, Timeout: o.timeout, Transfers: s.moves})
		switch {
		case errors.Is(err, sftp.ErrNoFolder):
			return nil, &exitError{exitSome, err}
		case err != nil:
			return nil, &exitError{exitConnect, fmt.Errorf("%s offers no files: %w", to.Addr(), err)}
		}
		return server, nil
	}
	return s, nil
}

// errQuit ends the prompt.
var errQuit = errors.New("quit")

func ignoreQuit(err error) error {
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

// line runs a line of the prompt or of a script. It is split into words as by a POSIX
// shell, with # for a comment. In names of files here ~ is the home folder.
func (s *session) line(ctx context.Context, line string) error {
	line = strings.TrimRight(line, "\r\n") // no spaces: the last one may be escaped
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return nil
	}
	words, err := shellquote.Split(line)
	if err != nil {
		return usageErrorf("%w", unquoted(err))
	}
	if len(words) == 0 {
		return nil
	}
	for i, w := range words {
		if i == 0 {
			continue
		}
		switch after(words[:i]) {
		case localFiles, localFolders:
			words[i] = ui.ExpandHome(w)
		}
	}
	return s.command(ctx, words)
}

// unquoted says what is missing in a line that cannot be split.
func unquoted(err error) error {
	switch err {
	case shellquote.UnterminatedSingleQuoteError:
		return errors.New("a quote ' is not closed")
	case shellquote.UnterminatedDoubleQuoteError:
		return errors.New(`a quote " is not closed`)
	}
	return errors.New(`nothing follows the last \`)
}

// needsNoServer tells whether a command works without a connection, and what is wrong
// with it as far as that can be told without one.
func needsNoServer(line []string) (bool, error) {
	c, err := find(line[0])
	if err != nil {
		return false, err
	}
	_, _, err = c.parse(line[1:])
	if errors.Is(err, errHelp) {
		return true, nil
	}
	return c.manner == offline, err
}

// isTransfer tells whether a command of this name moves files.
func isTransfer(name string) bool {
	c, err := find(name)
	return err == nil && c.manner == resumes
}

// command runs a command: its name and its arguments.
func (s *session) command(ctx context.Context, line []string) error {
	c, err := find(line[0])
	if err != nil {
		return err
	}
	o, args, err := c.parse(line[1:])
	if errors.Is(err, errHelp) {
		return s.showHelp(c.name)
	}
	if err != nil {
		return err
	}
	if c.manner != offline {
		if _, err := s.connected(ctx); err != nil {
			return err
		}
		s.cut = nil
	}
	return s.failed(c, line, s.run(ctx, c, o, args))
}

// run runs a command. With --json it prints JSON, even if the session does not.
func (s *session) run(ctx context.Context, c command, o *flags, args []string) (err error) {
	if o.json && !s.ui.JSON {
		s.ui.JSON = true
		defer func() { s.ui.JSON = false }()
		defer func() { tellError(s.ui, err) }()
	}
	return c.run(ctx, s, o, args)
}

// tellError tells scripts about an error that ends a command.
func tellError(u *ui.UI, err error) {
	if err != nil && !errors.Is(err, errQuit) {
		u.Event(ui.Note{Event: "error", Error: err.Error()})
	}
}

// failed gives an error of a command its exit status. If the connection was lost, it
// says what to do.
func (s *session) failed(c command, line []string, err error) error {
	_, known := statusOf(err)
	lost := errors.Is(err, sftp.ErrLost)
	if err == nil || errors.Is(err, errQuit) || known && !lost {
		return err
	}
	if s.server != nil && s.server.Lost() || lost {
		s.server.Close() // a part of it may still be alive
		return s.cutOff(c, line, err)
	}
	return &exitError{exitSome, fmt.Errorf("%s: %w", c.name, err)}
}

// cutOff says how to go on after a command was cut by the end of the connection. Only
// transfers are repeated: to repeat a command that changes something could undo what
// others have done since.
func (s *session) cutOff(c command, line []string, err error) error {
	next := "the next command connects again"
	if c.manner == resumes {
		s.cut, next = line, "reconnect, or the same command again, goes on with it"
	}
	return &exitError{exitConnect, fmt.Errorf("%s: %w; %s", c.name, err, next)}
}

// connected gives the connection to the server. If it is lost it connects again.
func (s *session) connected(ctx context.Context) (*sftp.Client, error) {
	if !s.server.Lost() {
		return s.server, nil
	}
	if !s.away {
		s.ui.Warnf("The connection to %s is lost; connecting again.", s.name)
	}
	s.away = true
	if err := s.renew(ctx); err != nil {
		return nil, err
	}
	s.ui.Warnf("Connected again.")
	return s.server, nil
}

// again connects again for a command that goes on. The error is [sftp.ErrLost] if it
// is worth another try: not if the server does not let us in, or is another one.
func (s *session) again(ctx context.Context) (*sftp.Client, error) {
	err := s.renew(ctx)
	if err == nil {
		s.ui.Warnf("Connected again.")
		return s.server, nil
	}
	if status, _ := statusOf(err); status == exitConnect {
		err = fmt.Errorf("%w: %w", sftp.ErrLost, err)
	}
	return nil, err
}

func (s *session) renew(ctx context.Context) error {
	s.hangUp()
	server, err := s.connect(ctx)
	if err != nil {
		return err
	}
	s.server, s.away = server, false
	if s.folder != "" {
		server.Folder, server.File = s.folder, ""
	}
	return nil
}

// hangUp ends the connection, if there is one.
func (s *session) hangUp() {
	if s.server != nil {
		s.server.Close()
	}
}

// interruptible runs f with a context that ends at Ctrl-C. If f has not returned a
// while after that, the connection is closed. A second Ctrl-C kills the program.
func (s *session) interruptible(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pressed, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	s.ui.Interrupt = func() {
		stop()
		cancel(ui.ErrInterrupted)
	}
	defer context.AfterFunc(pressed, s.ui.Interrupt)()
	const grace = 3 * time.Second
	left := make(chan struct{})
	defer close(left)
	defer context.AfterFunc(ctx, func() {
		select {
		case <-left:
		case <-time.After(grace):
			s.hangUp()
		}
	})()
	return f(ctx)
}
