package transfer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"shelf/cmd/shelf/receipt"
)

// unproven is the error of a file that was published, and of which there is no
// receipt.
type unproven struct{ error }

func (u *unproven) Unwrap() error { return u.error }

// receive fetches the receipt of an upload, looks whether it is one of that content,
// and keeps it. That the key is one of the server need not be asked: the server that
// we trust has handed it over.
func (p *putting) receive(ctx context.Context) error {
	text, signature, err := p.Server.Receipt(ctx, p.Server.Path(p.name))
	if err != nil {
		return &unproven{fmt.Errorf("it is uploaded, but there is no receipt: %w", err)}
	}
	r, err := receipt.Check(text, signature)
	if err == nil && !r.Same(p.done.Load(), p.sum) {
		err = errors.New("it is one of another content: the file was replaced meanwhile, or damaged")
	}
	if err != nil {
		return &unproven{fmt.Errorf("it is uploaded, but its receipt is not good: %w", err)}
	}
	file := filepath.Join(p.Receipts, path.Base(p.name)+".receipt")
	if err := receipt.Save(file, text, signature); err != nil {
		return &unproven{fmt.Errorf("it is uploaded, but its receipt cannot be kept: %w", err)}
	}
	p.progress.receipt = file
	return nil
}
