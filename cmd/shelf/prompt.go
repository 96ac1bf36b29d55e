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
		return ignoreQuit(s.script(ctx, s.in))
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
			s.ended(err)
		}
	}
}

// script stops at the first command that fails.
func (s *shell) script(ctx context.Context, in io.Reader) error {
	return s.interruptible(ctx, func(ctx context.Context) error {
		next := readLines(ctx, in)
		for {
			select {
			case <-ctx.Done():
				return errInterrupted
			case l := <-next:
				if err := s.line(ctx, l.text); err != nil {
					return err
				}
				if l.end != nil {
					return ignoreEOF(l.end)
				}
			}
		}
	})
}

// scriptLine is a line, and what its end is if that is none of a line.
type scriptLine struct {
	text string
	end  error
}

// readLines reads in the background: nothing else can end the wait for a line
// that does not come.
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

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
