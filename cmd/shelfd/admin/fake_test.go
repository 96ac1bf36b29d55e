package admin_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"shelf/cmd/shelfd/admin"
)

// fake is a server that remembers what it was told.
type fake struct {
	asked  atomic.Int32 // for its status
	by     admin.Operator
	kicked string
	broken string // what is not ready
}

func (f *fake) Status() admin.Status {
	f.asked.Add(1)
	return admin.Status{Version: "v", State: admin.Serving, Reload: &admin.Reload{Time: time.Unix(1, 0)}}
}
func (f *fake) Connections() []admin.Connection { return nil }
func (f *fake) Ready(context.Context) []admin.Check {
	return []admin.Check{{Name: "state"}, {Name: "library in", Reason: f.broken}}
}
func (f *fake) Usage(context.Context) ([]admin.Usage, error) { return nil, nil }
func (f *fake) Kick(by admin.Operator, who, reason string) ([]admin.Connection, error) {
	if who == "" {
		return nil, errors.New("there is nobody")
	}
	f.by, f.kicked = by, who+": "+reason
	return []admin.Connection{{ID: "X"}}, nil
}
func (f *fake) Bans() []admin.Ban                                 { return nil }
func (f *fake) Unban(admin.Operator, string) ([]admin.Ban, error) { return nil, nil }
func (f *fake) Drain(by admin.Operator)                           { f.by = by }
func (f *fake) Reload(admin.Operator) error                       { return errors.New("line 7 is wrong") }

func (f *fake) Quarantine() ([]admin.Quarantined, error) { return nil, nil }

func (f *fake) Release(_ context.Context, by admin.Operator, id string, replace bool) (admin.Quarantined, error) {
	f.by = by
	if id != "ID" || !replace {
		return admin.Quarantined{}, errors.New("there is nothing of that id")
	}
	return admin.Quarantined{ID: id}, nil
}

func (f *fake) Discard(_ context.Context, by admin.Operator, id string) (admin.Quarantined, error) {
	f.by = by
	return admin.Quarantined{ID: id}, nil
}
