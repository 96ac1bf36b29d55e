package sftp

import (
	"context"
	"errors"
)

// Receipt asks the server for the receipt of a file, and for the signature of that.
func (c *Client) Receipt(ctx context.Context, path string) (text, signature []byte, err error) {
	d := c.digests
	if d.conn.timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, d.conn.timeout)
		defer stop()
	}
	select {
	case <-d.one:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	defer func() { d.one <- struct{}{} }()
	for _, one := range []struct {
		flag string
		to   *[]byte
	}{{"", &text}, {"--signature ", &signature}} {
		out, said, err := d.output(ctx, "receipt "+one.flag+"-- "+shellQuote(path), maxReceipt)
		if err != nil && said != "" {
			err = errors.New(said)
		}
		if err != nil {
			return nil, nil, err
		}
		*one.to = []byte(out)
	}
	return text, signature, nil
}

// maxReceipt is the longest receipt or signature, in bytes.
const maxReceipt = 64 << 10
