package sftp

import (
	"context"
	"errors"
)

// Receipt asks the server for the receipt of a file, and for the signature of that.
func (c *Client) Receipt(ctx context.Context, path string) (text, signature []byte, err error) {
	d := c.digests
	ctx, end, err := d.turn(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	defer end()
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
