package bucket

import "context"

// Recorded is how many bytes of an upload others can know of.
func (b *Bucket) Recorded(ctx context.Context, owner, name string) int64 {
	r := b.readRecord(ctx, owner, name)
	return r.size()
}

// CanLimit tells whether a store that has, or lacks, conditions can keep limits.
func (o *Options) CanLimit(absent, match bool) error {
	return o.canLimit(abilities{absent: absent, match: match})
}

// Look has the node look at the ledger now.
func (b *Bucket) Look(ctx context.Context) error { return b.held.Look(ctx) }

// PerPage has lists of versions come with so few in a page.
func (b *Bucket) PerPage(n int32) { b.store.perPage = n }

// TakeTurn takes the turn for what has a name; back gives it back.
func (b *Bucket) TakeTurn(ctx context.Context, name string) (back func(), err error) {
	l, err := b.lookNow(ctx, name)
	if err == nil {
		err = b.takeTurn(ctx, l)
	}
	return func() { b.giveBack(l.name, l.id) }, err
}
