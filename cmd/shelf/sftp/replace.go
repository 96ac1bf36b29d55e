package sftp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
)

// HiddenPrefix starts the names of files that are not whole yet, here and on the
// server. Listings leave them out.
const HiddenPrefix = ".shelf-"

// Replace gives a file the name to. A file that has the name is replaced.
func (c *Client) Replace(ctx context.Context, from, to string) error {
	if _, ok := c.ask.extensions[posixRename]; ok {
		return c.Explain(ctx, c.ask.replace(ctx, from, to))
	}
	err := c.ask.rename(ctx, from, to)
	if err == nil || !inTheWay(err) {
		return c.Explain(ctx, err)
	}
	a, fromErr := c.ask.stat(ctx, from)
	b, toErr := c.ask.stat(ctx, to)
	if fromErr != nil || toErr != nil || !a.Regular() || !b.Regular() {
		return c.Explain(ctx, err)
	}
	return c.swap(ctx, from, to)
}

// inTheWay tells whether a RENAME may have failed because the name is taken. The
// draft has no code for that; later ones have.
func inTheWay(err error) bool {
	s := (*Status)(nil)
	return errors.As(err, &s) && (s.code == fxFailure || s.code == fxFileAlreadyExists)
}

// swap replaces a file on a server that cannot do it in one step. The old file gets
// another name first, and its own one again if the new file does not get it.
// Meanwhile no file has the name, so Ctrl-C does not interrupt swap.
func (c *Client) swap(ctx context.Context, from, to string) error {
	ctx = context.WithoutCancel(ctx)
	aside := path.Join(path.Dir(to), HiddenPrefix+rand.Text()+".old")
	if err := c.ask.rename(ctx, to, aside); err != nil {
		return c.uncertain(c.Explain(ctx, err), from, aside)
	}
	err := c.ask.rename(ctx, from, to)
	if err == nil {
		if err = c.ask.remove(ctx, aside); err == nil {
			return nil
		}
		return fmt.Errorf("it is replaced, but the old file is left on the server as %s: %w", path.Base(aside), c.Explain(ctx, err))
	}
	err = c.Explain(ctx, err)
	if back := c.ask.rename(ctx, aside, to); back == nil {
		return err
	}
	return fmt.Errorf("%w; the old file is on the server as %s, and the new one as %s",
		err, path.Base(aside), path.Base(from))
}

// uncertain says where to look if the connection was lost before the reply.
func (c *Client) uncertain(err error, from, aside string) error {
	if errors.Is(err, ErrLost) {
		return fmt.Errorf("%w; the old file may be on the server as %s, and the new one is there as %s",
			err, path.Base(aside), path.Base(from))
	}
	return err
}
