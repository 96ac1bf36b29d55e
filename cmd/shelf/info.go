package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func (s *shell) info(ctx context.Context, _ *choices, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? info NAME...")
	}
	names, err := s.remoteNames(ctx, args)
	if err != nil {
		return err
	}
	return s.eachName(ctx, names, s.infoOne)
}

// eachName does something for each of the files, one after the other.
func (s *shell) eachName(ctx context.Context, names []string, do func(context.Context, string) error) error {
	failed := 0
	for _, name := range names {
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err := s.remote.ask.explain(ctx, do(ctx, name)); err != nil {
			failed++
			s.warnf("%s: %v", printable(name), err)
			s.event(failEvent{"failed", name, err.Error()})
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files failed", failed, len(names))
	}
	return nil
}

// failEvent is what scripts are told of a file about which nothing was done.
type failEvent struct {
	Event string `json:"event"` // failed
	Name  string `json:"name"`
	Error string `json:"error"`
}

func (s *shell) infoOne(ctx context.Context, name string) error {
	path := s.remote.path(name)
	a, err := s.remote.ask.stat(ctx, path)
	if err != nil {
		return err
	}
	if !a.regular() {
		return errors.New("that is not a regular file")
	}
	if !s.remote.digests.able(ctx) {
		s.detailf("%s: the server has no sha256sum; all of the file is read instead", printable(name))
	}
	sum, err := s.remote.digest(ctx, path, a.size, nil)
	if err != nil {
		return err
	}
	s.event(fileEvent{"file", name, a.size, a.modified.UTC(), sum})
	if !s.json {
		fmt.Fprintf(s.out, "name      %s\nsize      %d bytes (%s)\nmodified  %s\nsha256    %s\n",
			printable(name), a.size, size(a.size), a.modified.Format(time.RFC3339), sum)
	}
	return nil
}
