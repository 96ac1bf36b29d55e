package main

import (
	"context"
	"errors"
	"fmt"
	"path"
)

// publish gives a file the name to, in the place of one that has it.
func (r *remote) publish(ctx context.Context, from, to string) error {
	if _, ok := r.ask.extensions[posixRename]; ok {
		return r.ask.explain(ctx, r.ask.replace(ctx, from, to))
	}
	err := r.ask.rename(ctx, from, to)
	if err == nil || from == to {
		return r.ask.explain(ctx, err)
	}
	// Without the extension a file cannot be replaced in one step. It goes only
	// if it was in the way, and there is something to put in its place.
	a, fromErr := r.ask.stat(ctx, from)
	_, toErr := r.ask.stat(ctx, to)
	if fromErr != nil || !a.regular() || toErr != nil {
		return r.ask.explain(ctx, err)
	}
	return r.replaceInTwo(ctx, from, to)
}

// replaceInTwo removes a file, and gives another its name. Between these steps
// there is no file of that name, so nothing interrupts them.
func (r *remote) replaceInTwo(ctx context.Context, from, to string) error {
	ctx = context.WithoutCancel(ctx)
	err := r.ask.explain(ctx, r.ask.remove(ctx, to))
	gone := err == nil
	if gone {
		err = r.ask.explain(ctx, r.ask.rename(ctx, from, to))
	}
	if gone = gone || errors.Is(err, errLost); err == nil || !gone {
		return err
	}
	return fmt.Errorf("%w; this server cannot replace a file in one step: if it is gone, what was to replace it is on the server as %s",
		err, printable(path.Base(from)))
}
