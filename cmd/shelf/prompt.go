package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"golang.org/x/term"
)

// read takes commands from a terminal, until the end, or from a pipe, until the
// first that fails.
func (s *shell) read(ctx context.Context) error {
	if !term.IsTerminal(int(s.in.Fd())) {
		return ignoreQuit(s.script(ctx, bufio.NewReader(s.in)))
	}
	e := s.newEditor(ctx)
	s.sayf("Connected to %s. You can:\n\n%s", printable(s.remote.to.String()), help())
	for {
		line, err := e.readLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = s.interruptible(ctx, func(ctx context.Context) error { return s.line(ctx, line) })
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil {
			s.warnf("%v", err)
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
