package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/held"
	"shelf/cmd/shelfd/quarantine"
	"shelf/sshd"
	"shelf/vfs"
)

// drained ends a server that is to end after its transfers.
type drained struct {
	once sync.Once
	c    chan struct{} // closed when it is told
}

// drain tells it, and whether that is news.
func (d *drained) drain() (first bool) {
	d.once.Do(func() { close(d.c); first = true })
	return first
}

func (d *drained) draining() bool {
	select {
	case <-d.c:
		return true
	default:
		return false
	}
}

// Kick implements [admin.Server].
func (o *operated) Kick(by admin.Operator, who, reason string) ([]admin.Connection, error) {
	reason = cmp.Or(vfs.Escape(vfs.Clip(reason)), "an operator has ended it")
	var ended []admin.Connection
	is := func(c sshd.ConnInfo) bool { return c.ID == who }
	if !slices.ContainsFunc(o.connections.ssh.Connections(), is) {
		is = func(c sshd.ConnInfo) bool { return c.Account == who }
	}
	o.connections.ssh.End(sshd.Ending{Op: sshd.OpKicked, Reason: reason}, func(c sshd.ConnInfo) bool {
		if is(c) {
			ended = append(ended, connectionOf(c, time.Now()))
		}
		return is(c)
	})
	var err error
	if len(ended) == 0 {
		err = fmt.Errorf("there is no connection %q, and none of an account of that name", who)
		e := audit.ByOperator(audit.OpKick, string(by), err)
		e.Account, e.Note = vfs.Clip(who), reason
		o.record(e)
	}
	for _, c := range ended {
		e := audit.ByOperator(audit.OpKick, string(by), nil)
		e.Conn, e.Account, e.Source, e.Note = c.ID, c.Account, c.Source, reason
		o.record(e)
	}
	return ended, err
}

// Bans implements [admin.Server].
func (o *operated) Bans() []admin.Ban { return bansOf(o.connections.ssh.Penalized()) }

func bansOf(all []sshd.Penalized) (bans []admin.Ban) {
	for _, p := range all {
		bans = append(bans, admin.Ban{Source: sourceName(p.Source), Until: p.Until})
	}
	return bans
}

// sourceName is an address, or a network of several.
func sourceName(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Unban implements [admin.Server].
func (o *operated) Unban(by admin.Operator, source string) ([]admin.Ban, error) {
	var network config.Network
	err := network.UnmarshalText([]byte(source))
	if err != nil {
		err = fmt.Errorf("%q is no address and no network, such as 192.0.2.7 or 192.0.2.0/24", source)
	}
	e := audit.ByOperator(audit.OpUnban, string(by), err)
	e.Source = vfs.Clip(source)
	defer o.record(e)
	if err != nil {
		return nil, err
	}
	return bansOf(o.connections.ssh.Forgive(config.Prefixes([]config.Network{network})[0])), nil
}

// Drain implements [admin.Server].
func (o *operated) Drain(by admin.Operator) {
	if o.drain() {
		o.log.Info("draining: no new connections, and the server ends after its transfers", "operator", string(by))
		o.record(audit.ByOperator(audit.OpDrain, string(by), nil))
	}
}

// Reload implements [admin.Server].
func (o *operated) Reload(by admin.Operator) error { return o.hangUp(string(by)) }

// record writes an act of an operator, as an event.
func (o *operated) record(e sshd.Event) {
	o.admin.page.Event(e)
	o.audit.report(e)
}

// Quarantine implements [admin.Server].
func (o *operated) Quarantine() ([]admin.Quarantined, error) {
	kept := o.gates.set.Quarantine()
	if kept == nil {
		return nil, nil
	}
	items, err := kept.List()
	all := make([]admin.Quarantined, 0, len(items))
	for _, i := range items {
		all = append(all, o.quarantined(i))
	}
	return all, err
}

// quarantined is an item, and how it goes with one that waits.
func (o *operated) quarantined(i quarantine.Item) admin.Quarantined {
	q := admin.Quarantined{ID: i.ID, State: admin.StateRefused, Time: i.Time, Library: i.Library, Account: i.Account, Name: i.Name, Size: i.Size, SHA256: i.SHA256, Reason: i.Reason}
	if i.Held != nil {
		q.State = admin.StateHeld
		if now, ok := o.gates.set.Queue().State(i.ID); ok {
			q.Reason, q.Tries = now.Why, now.Tries
		}
	}
	return q
}

// unclaimed is what is said of an item that waits, and not here.
func unclaimed(kept *quarantine.Folder, i quarantine.Item, err error) error {
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case kept.Owned(i):
		return quarantine.ErrUnknown // it was just judged
	}
	return errors.New("another server judges it, which is about to end; try again when it has")
}

// Release implements [admin.Server].
func (o *operated) Release(ctx context.Context, by admin.Operator, id string, replace bool) (admin.Quarantined, error) {
	kept := o.gates.set.Quarantine()
	if kept == nil {
		return admin.Quarantined{}, quarantine.ErrUnknown
	}
	i, file, err := kept.Open(id)
	if err != nil {
		return admin.Quarantined{}, err
	}
	defer file.Close()
	shown, tried := o.quarantined(i), false
	publish := func(i quarantine.Item) error {
		tried = true
		return o.released(ctx, by, i, file, replace)
	}
	if i.Held == nil {
		if err = publish(i); err == nil {
			_, err = kept.Drop(id)
		}
		return shown, err
	}
	if err = o.gates.set.Queue().Release(ctx, id, publish); err != nil && !tried {
		return admin.Quarantined{}, unclaimed(kept, i, err)
	}
	return shown, err
}

// released publishes an item for an operator, and records it.
func (o *operated) released(ctx context.Context, by admin.Operator, i quarantine.Item, from io.Reader, replace bool) error {
	change, durable, err := o.publish(ctx, i, from, replace)
	e := audit.ByOperator(audit.OpPut, string(by), err)
	e.Account, e.Library, e.Name, e.Gate, e.Note, e.Durable = i.Account, i.Library, i.Name, vfs.GateReleased, i.ID, durable
	if err == nil {
		sum, _ := hex.DecodeString(i.SHA256)
		e.File = &vfs.Content{Size: change.After.Size, SHA256: sum, Version: change.After.Version}
		if e.New = change.Replaced == (vfs.Info{}); !e.New {
			e.Replaced = &vfs.Content{Size: change.Replaced.Size, Version: change.Replaced.Version}
		}
	}
	o.record(e)
	return err
}

// publish puts what was refused into its library, in the name of its account. No gate
// is asked.
func (o *operated) publish(ctx context.Context, i quarantine.Item, from io.Reader, replace bool) (c vfs.Change, durable bool, err error) {
	source, err := o.libraries.set.Source(i.Library, i.Account)
	if err != nil {
		return c, false, err
	}
	l, leave, err := source.Open(ctx)
	if err != nil {
		return c, false, err
	}
	defer leave()
	if hold := o.libraries.set.Hold(i.Library); hold.Counts(time.Now()) && replace {
		if _, err := l.Stat(ctx, i.Name); !errors.Is(err, fs.ErrNotExist) {
			return c, false, hold.Refusal()
		}
		replace = false // nothing that is there is replaced, not by an operator either
	}
	options := vfs.CreateOptions{Create: true, Truncate: true, Exclusive: !replace, Owner: i.Account}
	if i.Held != nil {
		options.Mode = i.Held.Mode
	}
	u, err := l.Create(ctx, i.Name, options)
	if err != nil {
		return c, false, err
	}
	_, err = io.Copy(io.NewOffsetWriter(u, 0), from)
	if err == nil && i.Held != nil {
		err = u.SetAttr(held.AttrOf(i.Held))
	}
	if err != nil {
		u.Abort()
		return c, false, err
	}
	c, err = u.Commit(ctx)
	return c, l.Properties().Durable, err
}

// Discard implements [admin.Server].
func (o *operated) Discard(ctx context.Context, by admin.Operator, id string) (admin.Quarantined, error) {
	kept := o.gates.set.Quarantine()
	if kept == nil {
		return admin.Quarantined{}, quarantine.ErrUnknown
	}
	i, file, err := kept.Open(id)
	if errors.Is(err, quarantine.ErrUnknown) {
		return admin.Quarantined{}, err
	}
	file.Close() // there may be none
	end := func(bool) {}
	if i.Held != nil {
		claimed, finish, err := o.gates.set.Queue().Claim(ctx, id)
		if err != nil {
			return admin.Quarantined{}, unclaimed(kept, i, err)
		}
		i, end = claimed, finish
	}
	shown := o.quarantined(i)
	_, err = kept.Drop(id)
	end(err == nil)
	if errors.Is(err, quarantine.ErrUnknown) {
		return admin.Quarantined{}, err
	}
	e := audit.ByOperator(audit.OpDiscard, string(by), err)
	e.Account, e.Library, e.Name, e.Note = i.Account, i.Library, i.Name, i.ID
	o.record(e)
	return shown, err
}
