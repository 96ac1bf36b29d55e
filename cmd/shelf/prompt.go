package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"shelf/cmd/shelf/ui"
)

// read runs commands from a terminal, until the end, or from a pipe, until the first
// one that fails.
func (s *session) read(ctx context.Context) error {
	s.reads = true
	if !s.ui.Interactive() {
		return ignoreQuit(s.script(ctx, s.ui.In))
	}
	c := &completer{session: s, ctx: ctx}
	e := s.ui.NewEditor("shelf> ", ui.OpenHistory(s.name), c.complete)
	s.ui.Sayf("Connected to %s. The commands are:\n", s.name)
	s.ui.Text(help() + "\n")
	for {
		c.unlisted = false
		line, err := e.ReadLine(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &exitError{exitSome, err}
		}
		err = s.interruptible(ctx, func(ctx context.Context) error { return s.line(ctx, line) })
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil {
			s.ui.Warnf("%v", err)
			tellError(s.ui, err)
		}
	}
}

// script stops at the first command that fails.
func (s *session) script(ctx context.Context, in io.Reader) error {
	return s.interruptible(ctx, func(ctx context.Context) error {
		next := readLines(ctx, in)
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case l := <-next:
				if err := s.line(ctx, l.text); err != nil {
					return err
				}
				if errors.Is(l.err, io.EOF) {
					return nil
				}
				if l.err != nil {
					return l.err
				}
			}
		}
	})
}

// scriptLine is a line of a script, and the error that ended it instead of a newline.
type scriptLine struct {
	text string
	err  error
}

// readLines reads lines in the background, so that Ctrl-C can end the wait for one.
func readLines(ctx context.Context, in io.Reader) <-chan scriptLine {
	next := make(chan scriptLine)
	go func() {
		for lines := bufio.NewReader(in); ; {
			text, err := lines.ReadString('\n')
			select {
			case next <- scriptLine{text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return next
}
