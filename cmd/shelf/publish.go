package main

import (
	"context"
	"crypto/rand"
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
	if err == nil || !inTheWay(err) {
		return r.ask.explain(ctx, err)
	}
	a, fromErr := r.ask.stat(ctx, from)
	b, toErr := r.ask.stat(ctx, to)
	if fromErr != nil || toErr != nil || !a.regular() || !b.regular() {
		return r.ask.explain(ctx, err)
	}
	return r.swap(ctx, from, to)
}

// inTheWay tells whether a RENAME may have failed since the name is taken; for
// that there is no code in the draft, and one since.
func inTheWay(err error) bool {
	s := (*status)(nil)
	return errors.As(err, &s) && (s.code == fxFailure || s.code == fxFileAlreadyExists)
}

// swap replaces a file where that cannot be done in one step: the old one goes
// aside, and comes back if the new one does not get its name. Meanwhile there is
// no file of that name, so nothing interrupts it.
func (r *remote) swap(ctx context.Context, from, to string) error {
	ctx = context.WithoutCancel(ctx)
	aside := path.Join(path.Dir(to), partPrefix+rand.Text()+".old")
	if err := r.ask.rename(ctx, to, aside); err != nil {
		return r.uncertain(r.ask.explain(ctx, err), from, aside)
	}
	err := r.ask.rename(ctx, from, to)
	if err == nil {
		if err = r.ask.remove(ctx, aside); err == nil {
			return nil
		}
		return fmt.Errorf("it is done, but what had the name is left on the server as %s: %w", printable(path.Base(aside)), r.ask.explain(ctx, err))
	}
	err = r.ask.explain(ctx, err)
	if back := r.ask.rename(ctx, aside, to); back == nil {
		return err
	}
	return fmt.Errorf("%w; what had the name is on the server as %s, and what was to get it as %s",
		err, printable(path.Base(aside)), printable(path.Base(from)))
}

// uncertain says where to look if the connection ended while it was uncertain.
func (r *remote) uncertain(err error, from, aside string) error {
	if errors.Is(err, errLost) {
		return fmt.Errorf("%w; what had the name may be on the server as %s, and what was to get it is there as %s",
			err, printable(path.Base(aside)), printable(path.Base(from)))
	}
	return err
}
