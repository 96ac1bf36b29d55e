package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kballard/go-shellquote"
	"golang.org/x/term"
)

// errQuit ends the prompt.
var errQuit = errors.New("quit")

// shell carries out commands on a connection.
type shell struct {
	conn     *connection
	out, err io.Writer
}

// read takes commands from a terminal, with a prompt, until the end, or from a
// pipe until the first failure.
func (s *shell) read(in *os.File) error {
	terminal := term.IsTerminal(int(in.Fd()))
	if terminal {
		fmt.Fprintf(s.out, "Connected to %s as %s.\n%s", s.conn.to.addr, s.conn.to.user, help())
	}
	lines := bufio.NewScanner(in)
	for {
		if terminal {
			fmt.Fprint(s.out, "shelf> ")
		}
		if !lines.Scan() {
			return lines.Err()
		}
		err := s.line(lines.Text())
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil && !terminal {
			return err
		}
		if err != nil {
			fmt.Fprintln(s.err, err)
		}
	}
}

func (s *shell) line(line string) error {
	words, err := shellquote.Split(line)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("the line does not parse: %w", err)}
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	return s.command(words)
}

func (s *shell) command(words []string) error {
	c, err := find(words[0])
	if err != nil {
		return &exitError{exitUsage, err}
	}
	err = c.run(s, words[1:])
	if errors.Is(err, errQuit) {
		return err
	}
	if e := (*exitError)(nil); err != nil && !errors.As(err, &e) {
		return &exitError{exitSome, fmt.Errorf("%s: %w", c.name, err)}
	}
	return err
}
