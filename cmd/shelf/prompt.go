package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kballard/go-shellquote"
	"golang.org/x/term"
)

// errQuit ends the prompt.
var errQuit = errors.New("quit")

func ignoreQuit(err error) error {
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

// shell carries out commands on a connection.
type shell struct {
	*remote
	streams
}

// read takes commands from a terminal, until the end, or from a pipe, until the
// first that fails.
func (s *shell) read(ctx context.Context) error {
	lines := bufio.NewReader(s.in)
	if !term.IsTerminal(int(s.in.Fd())) {
		return ignoreQuit(s.script(ctx, lines))
	}
	fmt.Fprintf(s.out, "Connected to %s. You can:\n\n%s\n", s.to, help())
	for {
		fmt.Fprint(s.out, "shelf> ")
		line, readErr := lines.ReadString('\n')
		err := s.interruptible(ctx, func(ctx context.Context) error { return s.line(ctx, line) })
		switch {
		case errors.Is(err, errQuit):
			return nil
		case readErr == io.EOF:
			fmt.Fprintln(s.out)
			return nil
		case readErr != nil:
			return readErr
		case err != nil:
			fmt.Fprintln(s.err, err)
		}
	}
}

// script stops at the first command that fails.
func (s *shell) script(ctx context.Context, lines *bufio.Reader) error {
	return s.interruptible(ctx, func(ctx context.Context) error {
		for {
			line, readErr := lines.ReadString('\n')
			if err := s.line(ctx, line); err != nil {
				return err
			}
			if readErr == io.EOF {
				return nil
			}
			if readErr != nil {
				return readErr
			}
		}
	})
}

// line carries out a line: words as a POSIX shell splits them, # for a comment.
func (s *shell) line(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return nil
	}
	words, err := shellquote.Split(line)
	if err != nil {
		return usageErrorf("the line cannot be split into words: %w", err)
	}
	if len(words) == 0 {
		return nil
	}
	return s.command(ctx, words)
}

func (s *shell) command(ctx context.Context, words []string) error {
	c, err := find(words[0])
	if err != nil {
		return err
	}
	err = c.run(s, ctx, words[1:])
	if e := (*exitError)(nil); err == nil || errors.Is(err, errQuit) || errors.As(err, &e) {
		return err
	}
	return &exitError{exitSome, fmt.Errorf("%s: %w", c.name, err)}
}
