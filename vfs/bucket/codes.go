package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Codes is where nodes that share nothing but a bucket record which one-time codes were
// used. Each is an object of its own, below ".shelf/totp/ACCOUNT/": who makes it first
// has used the code.
type Codes struct {
	s       *store
	trusted atomic.Bool // the store was seen to keep a condition
}

const (
	// codesTimeout is for how long a login waits for the store.
	codesTimeout = 15 * time.Second

	// keptPeriods is how long a code is known, in periods: ten minutes, since clocks
	// differ.
	keptPeriods = 20
)

// OpenCodes makes the client of a store. It calls nobody. Of the options it takes where
// the bucket is.
func OpenCodes(ctx context.Context, o Options) (*Codes, error) {
	s, err := connect(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	return &Codes{s: s}, nil
}

// Close closes connections that wait.
func (c *Codes) Close() { c.s.close() }

// Claim records that an account has used the code of a period. The error is
// [fs.ErrExist] if that, or a later one, was used before on any node. After any other
// nobody knows.
func (c *Codes) Claim(account string, period uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), codesTimeout)
	defer cancel()
	old, err := c.earlier(ctx, account, period)
	if err != nil {
		return err
	}
	key, me := c.key(account, period), newID()
	_, out := c.s.put(ctx, key, bodyOfText([]byte(me)), nil, condition{absent: true})
	switch {
	case out.err == nil:
	case !out.unsure && isUnmet(out.err):
		return fs.ErrExist
	case !out.unsure:
		return out.err
	default: // the answer was lost
		text, _, _, err := c.s.getText(ctx, key)
		if err != nil {
			return err
		}
		if string(text) != me {
			return fs.ErrExist
		}
	}
	if err := c.trust(ctx, key); err != nil {
		return err
	}
	c.s.removeHidden(ctx, old...)
	return nil
}

// earlier looks which codes an account has used, and tells those that no clock takes
// any more.
func (c *Codes) earlier(ctx context.Context, account string, period uint64) (old []string, err error) {
	for h, err := range c.s.listHidden(ctx, "totp", digest(account)) {
		if err != nil {
			return nil, err
		}
		was, err := strconv.ParseUint(h.key[strings.LastIndexByte(h.key, '/')+1:], 10, 64)
		switch {
		case err != nil:
		case was >= period:
			return nil, fs.ErrExist
		case was+keptPeriods < period:
			old = append(old, h.key)
		}
	}
	return old, nil
}

// trust has the store make again what is there, once. One that does so would take a
// code on each node.
func (c *Codes) trust(ctx context.Context, key string) error {
	if c.trusted.Load() {
		return nil
	}
	_, out := c.s.put(ctx, key, bodyOfText(nil), nil, condition{absent: true})
	if out.err == nil {
		return errors.New("the store ignores conditions: it would take a code more than once")
	}
	if !isUnmet(out.err) {
		return out.err
	}
	c.trusted.Store(true)
	return nil
}

func (c *Codes) key(account string, period uint64) string {
	return c.s.hiddenKey("totp", digest(account), strconv.FormatUint(period, 10))
}
