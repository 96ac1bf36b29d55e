package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"
)

// names remembers what the server lists, for Tab and for patterns.
type names struct {
	mu    sync.Mutex // guards what follows
	files []entry
	since time.Time // zero if there is nothing
}

// fresh is how long a listing is believed. Our own changes end it at once.
const fresh = 30 * time.Second

func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files, n.since = nil, time.Time{}
}

func (n *names) set(files []entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files, n.since = files, time.Now()
}

// get is the last listing, if it can still be believed.
func (n *names) get() ([]entry, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.files, time.Since(n.since) < fresh
}

// files are the regular files that the server lists, without those of hidden
// names, in no order.
func (s *shell) files(ctx context.Context) ([]entry, error) {
	all, err := s.remote.ask.list(ctx, s.remote.folder)
	if err != nil {
		return nil, s.remote.ask.explain(ctx, err)
	}
	kept := all[:0]
	for _, e := range all {
		if e.regular() && !strings.HasPrefix(e.name, ".") {
			kept = append(kept, e)
		}
	}
	s.names.set(kept)
	return kept, nil
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// remoteNames makes patterns the names that match them, if no file has the
// pattern itself as its name. What a URL named is meant as it is.
func (s *shell) remoteNames(ctx context.Context, args []string) (all []string, err error) {
	var files []entry
	for _, a := range args {
		if !isPattern(a) || a == s.remote.file {
			all = append(all, a)
			continue
		}
		if files == nil {
			if files, err = s.files(ctx); err != nil {
				return nil, err
			}
		}
		match, err := matching(files, a)
		if err != nil {
			return nil, err
		}
		if len(match) == 0 {
			return nil, fmt.Errorf("no file matches %s", printable(a))
		}
		for _, e := range match {
			all = append(all, e.name)
		}
	}
	return unique(all), nil
}

// matching are the files that match a pattern of package path, or the one that
// is named like it.
func matching(files []entry, pattern string) (match []entry, err error) {
	for _, e := range files {
		if e.name == pattern {
			return []entry{e}, nil
		}
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, usageErrorf("%s is no pattern; write one such as '*.pdf'", printable(pattern))
	}
	for _, e := range files {
		if ok, _ := path.Match(pattern, e.name); ok {
			match = append(match, e)
		}
	}
	return match, nil
}

// eachName does something for each of the files, one after the other, of all that
// a command is for, and says which fail.
func (s *shell) eachName(ctx context.Context, names []string, all int, do func(context.Context, string) error) error {
	failed, last := 0, error(nil)
	for _, name := range names {
		if ctx.Err() != nil {
			return errInterrupted
		}
		err := s.remote.ask.explain(ctx, do(ctx, name))
		if err == nil {
			continue
		}
		failed, last = failed+1, fmt.Errorf("%s: %w", printable(name), err)
		s.event(note{"failed", name, err.Error()})
		if errors.Is(err, errLost) || errors.Is(err, errInterrupted) {
			return last // so would all others
		}
		if all > 1 {
			s.warnf("%v", last)
		}
	}
	if failed > 0 && all > 1 {
		return fmt.Errorf("%d of %d files failed", failed, all)
	}
	return last
}

// unique keeps the first of what is there twice.
func unique(all []string) (once []string) {
	seen := make(map[string]bool, len(all))
	for _, s := range all {
		if !seen[s] {
			once = append(once, s)
		}
		seen[s] = true
	}
	return once
}
