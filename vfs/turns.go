package vfs

import "context"

// Turns is how long work is shared fairly: it is done in pieces, and each piece waits
// for a turn of who it is done for.
type Turns struct {
	Name string // who that is
	Take func(ctx context.Context, name string) (end func(), err error)
}

type turnsKey struct{}

// WithTurns is a context whose digests take turns.
func WithTurns(ctx context.Context, t Turns) context.Context {
	return context.WithValue(ctx, turnsKey{}, t)
}

// TurnsOf are those of a context; without any, Name is "" and nothing waits.
func TurnsOf(ctx context.Context) Turns {
	t, _ := ctx.Value(turnsKey{}).(Turns)
	if t.Take == nil {
		t.Take = func(context.Context, string) (func(), error) { return func() {}, nil }
	}
	return t
}
