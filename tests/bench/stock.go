package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// sftp runs the stock client with a batch of commands, a line each.
func (s *server) sftp(options []string, batch ...string) error {
	args := append(append(s.options(), options...), "-b", "-", s.user+"@127.0.0.1")
	c := exec.Command("sftp", args...)
	c.Stdin = strings.NewReader(strings.Join(batch, "\n") + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", c, err, out)
	}
	return nil
}

// cost is what a piece of work took.
type cost struct{ wall, cpu time.Duration }

// measure tells what f took, and the server for it.
func (s *server) measure(f func() error) (cost, error) {
	s.settle()
	cpu, start := s.cpu(), time.Now()
	if err := f(); err != nil {
		return cost{}, err
	}
	wall := time.Since(start)
	s.settle()
	return cost{wall, s.cpu() - cpu}, nil
}
