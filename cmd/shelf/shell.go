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
)

// shell carries out commands on a connection.
type shell struct {
	*ui
	connect func(context.Context) (*remote, error)
	remote  *remote
	names   *names
	away    bool     // it has been said that the connection is lost
	cut     []string // the words of the last command, if it was a transfer that was cut
}

// errQuit ends the prompt.
var errQuit = errors.New("quit")

func ignoreQuit(err error) error {
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

// line carries out a line: words as a POSIX shell splits them, ~ for the home
// folder, # for a comment.
func (s *shell) line(ctx context.Context, line string) error {
	line = strings.TrimRight(line, "\r\n") // and no more: a space may be escaped
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
		if w != "~" || i > 0 && wantsFolder(words[:i]) {
			words[i] = expandHome(w)
		}
	}
	return s.command(ctx, words)
}

// unquoted says what a line lacks.
func unquoted(err error) error {
	switch err {
	case shellquote.UnterminatedSingleQuoteError:
		return errors.New("a quote ' is not closed")
	case shellquote.UnterminatedDoubleQuoteError:
		return errors.New(`a quote " is not closed`)
	}
	return errors.New(`nothing follows the last \`)
}

// offline tells whether words need no connection, and what is wrong with them
// that can be told without one.
func offline(words []string) (bool, error) {
	c, err := find(words[0])
	if err != nil {
		return false, err
	}
	_, _, err = c.parse(words[1:])
	if errors.Is(err, errHelp) {
		return true, nil
	}
	return c.manner == alone, err
}

func (s *shell) command(ctx context.Context, words []string) error {
	c, err := find(words[0])
	if err != nil {
		return err
	}
	o, args, err := c.parse(words[1:])
	if errors.Is(err, errHelp) {
		return s.showHelp(c.name)
	}
	if err != nil {
		return err
	}
	if c.manner != alone {
		if err := s.ensure(ctx); err != nil {
			return err
		}
		s.cut = nil
	}
	return s.failed(c, words, s.run(ctx, c, o, args))
}

// run runs a command, which may speak JSON when the session does not.
func (s *shell) run(ctx context.Context, c command, o *choices, args []string) (err error) {
	if o.json && !s.json {
		s.json = true
		defer func() { s.json = false }()
		defer func() { s.ended(err) }()
	}
	return c.run(s, ctx, o, args)
}

// ended tells scripts of an error that ends a command.
func (u *ui) ended(err error) {
	if err != nil && !errors.Is(err, errQuit) {
		u.event(note{Event: "error", Error: err.Error()})
	}
}

// failed gives an error its exit status, and says plainly when it came from the
// end of the connection.
func (s *shell) failed(c command, words []string, err error) error {
	if e := (*exitError)(nil); err == nil || errors.Is(err, errQuit) || errors.As(err, &e) {
		return err
	}
	if s.remote != nil && s.remote.ended() || errors.Is(err, errLost) {
		s.remote.Close() // a part of it may be alive
		return s.cutOff(c, words, err)
	}
	return &exitError{exitSome, fmt.Errorf("%s: %w", c.name, err)}
}

// cutOff says what can be done about a command that the end of the connection
// cut. To say one again that changed something could undo what others did since.
func (s *shell) cutOff(c command, words []string, err error) error {
	next := "the next command connects again"
	if c.manner == again {
		s.cut, next = words, "reconnect, or the same command again, goes on with it"
	}
	return &exitError{exitConnect, fmt.Errorf("%s: %w; %s", c.name, err, next)}
}

// ensure connects anew when the connection is lost.
func (s *shell) ensure(ctx context.Context) error {
	if !s.remote.ended() {
		return nil
	}
	if !s.away {
		s.warnf("The connection to %s is lost; connecting again.", printable(s.remote.to.String()))
	}
	s.away = true
	if err := s.renew(ctx); err != nil {
		return err
	}
	s.warnf("Connected again.")
	return nil
}

func (s *shell) renew(ctx context.Context) error {
	s.hangUp()
	r, err := s.connect(ctx)
	if err != nil {
		return err
	}
	s.remote, s.away = r, false
	s.names.forget()
	return nil
}

// hangUp ends the connection, if there is one.
func (s *shell) hangUp() {
	if s.remote != nil {
		s.remote.Close()
	}
}

// reconnect connects anew, and goes on with what was cut.
func (s *shell) reconnect(ctx context.Context, _ *choices, args []string) error {
	if len(args) > 0 {
		return usageErrorf("reconnect takes no words")
	}
	if err := s.renew(ctx); err != nil {
		return err
	}
	s.sayf("Connected to %s.", printable(s.remote.to.String()))
	words := s.cut
	if s.cut = nil; words == nil {
		return nil
	}
	s.sayf("Going on with: %s", printable(shellquote.Join(words...)))
	return s.command(ctx, words)
}

// interruptible runs f with a context that Ctrl-C ends. A server that does not
// let go then is left, and a second Ctrl-C kills us.
func (s *shell) interruptible(ctx context.Context, f func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	s.interrupt = stop
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
