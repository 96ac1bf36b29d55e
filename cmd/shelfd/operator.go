package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/quarantine"
	"shelf/sshd"
	"shelf/vfs"
)

// operated is the server as operators see it. It implements [admin.Server].
type operated struct {
	*server
	started time.Time
	state   admin.Patient[struct{}] // whether the state folder can be written
	audited admin.Patient[struct{}] // whether events are recorded
}

// view is what operators are told of the settings in effect. It does not change.
type view struct {
	settings  config.Settings
	limits    sshd.Limits
	libraries []*watched
	accounts  []string // what is wrong with some
	certs     []admin.Certificate
}

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

// look makes a view of the parts, which have opened or reloaded.
func (o *operated) look(s config.Settings) *view {
	v := &view{settings: s, limits: limits(s, o.connections.descriptors), libraries: watch(s, o.libraries.set, o.gates.set), accounts: o.accounts.problems}
	for _, signer := range o.hostKeys.current.Current {
		if cert, ok := signer.PublicKey().(*ssh.Certificate); ok && cert.ValidBefore != ssh.CertTimeInfinity {
			v.certs = append(v.certs, admin.Certificate{Type: cert.Key.Type(), Expires: time.Unix(int64(min(cert.ValidBefore, math.MaxInt64)), 0)})
		}
	}
	return v
}

// Status implements [admin.Server].
func (o *operated) Status() admin.Status {
	v, now := o.admin.view.Load(), o.connections.ssh.Stats()
	s := admin.Status{
		Version: version(), PID: os.Getpid(), Started: o.started, Uptime: time.Since(o.started).Seconds(), State: admin.Serving,
		Problems: []string{}, Limits: limitsInUse(v.limits, now), Traffic: admin.Traffic{Received: now.Received, Sent: now.Sent},
		Refused: refusedOf(now.Refused), Reload: o.lastReload.Load(), Panics: now.Panics, HostCerts: v.certs,
		Bans: len(o.connections.ssh.Penalized()), Libraries: statusOf(v.libraries, &o.admin.uploads),
	}
	if o.draining() {
		s.State = admin.Draining
	}
	all := o.connections.ssh.Connections()
	s.SourceMost = sourceMost(all, v.limits.PerSourceNetBlockSize)
	for _, c := range all {
		for _, t := range c.Transfers {
			if t.Upload {
				s.Transfers.Uploads++
			} else {
				s.Transfers.Downloads++
			}
		}
	}
	if o.audit.file != nil {
		c := o.audit.file.Counters()
		s.Audit = &admin.Audit{Lines: int64(c.Lines), Failures: int64(c.Failures)}
		if c.Failing {
			s.Audit.Failing = cmp.Or(c.LastError, "lines are missing")
		}
	}
	s.Problems = append(problemsOf(s), v.accounts...)
	return s
}

// problemsOf is what needs an operator, the worst first.
func problemsOf(s admin.Status) []string {
	all := []string{}
	if s.Audit != nil && s.Audit.Failing != "" {
		all = append(all, "events are not recorded: "+s.Audit.Failing)
	}
	for _, l := range s.Libraries {
		if l.Problem != "" {
			all = append(all, fmt.Sprintf("library %s: %s", l.Name, l.Problem))
		}
		if l.Gate != nil && l.Gate.Problem != "" {
			all = append(all, fmt.Sprintf("the gate of library %s gives no verdict: %s", l.Name, l.Gate.Problem))
		}
	}
	if s.Reload != nil && s.Reload.Error != "" {
		// What is wrong may show a line of the configuration, and this goes to the page.
		all = append(all, "the last reload failed, and the settings before it are in effect")
	}
	for _, l := range s.Limits {
		if l.Limit > 0 && l.Use >= l.Limit && l.Setting != "" {
			all = append(all, fmt.Sprintf("%s: all %d are in use (%s)", l.Name, l.Limit, l.Setting))
		}
	}
	if s.Panics > 0 {
		all = append(all, fmt.Sprintf("the program has failed %d times since the start: see the log", s.Panics))
	}
	return all
}

func limitsInUse(l sshd.Limits, now sshd.Stats) []admin.Limit {
	memory := l.Memory
	if memory > math.MaxInt64/8 {
		memory = 0 // none
	}
	return []admin.Limit{
		{Name: "connections", Use: int64(now.Connections), Limit: int64(l.MaxConnections), Setting: "max_connections", Help: "connections that are logged in"},
		{Name: "startups", Use: int64(now.Startups), Limit: int64(l.MaxStartups), Setting: "max_startups", Help: "connections that are not logged in yet"},
		{Name: "sessions", Use: int64(now.Channels), Help: "sessions of SFTP, and commands"},
		{Name: "open_files", Use: int64(now.OpenFiles), Limit: int64(l.OpenFiles), Help: "files, uploads and listings that are open, and commands"},
		{Name: "client_memory", Use: now.Memory, Limit: memory, Unit: "bytes", Help: "memory that clients make the server hold"},
	}
}

func refusedOf(counts map[string]int64) []admin.Refused {
	var all []admin.Refused
	for reason, count := range counts {
		all = append(all, admin.Refused{Reason: reason, Count: count})
	}
	slices.SortFunc(all, func(a, b admin.Refused) int { return cmp.Compare(a.Reason, b.Reason) })
	return all
}

// sourceMost is how many connections come from the source that has most.
func sourceMost(all []sshd.ConnInfo, size sshd.NetBlockSize) (most int) {
	counts := make(map[netip.Prefix]int)
	for _, c := range all {
		at, err := netip.ParseAddrPort(c.Source)
		if err != nil {
			continue
		}
		address, bits := at.Addr().Unmap(), size.IPv6
		if address.Is4() {
			bits = size.IPv4
		}
		source, _ := address.WithZone("").Prefix(bits)
		counts[source]++
		most = max(most, counts[source])
	}
	return most
}

// Connections implements [admin.Server].
func (o *operated) Connections() []admin.Connection {
	var all []admin.Connection
	now := time.Now()
	for _, c := range o.connections.ssh.Connections() {
		all = append(all, connectionOf(c, now))
	}
	return all
}

func connectionOf(c sshd.ConnInfo, now time.Time) admin.Connection {
	shown := admin.Connection{
		ID: c.ID, Account: c.Account, Method: c.Method, Key: c.Key, Source: c.Source, Client: c.ClientVersion, Since: c.Since,
		Transfers: []admin.Transfer{},
	}
	if c.Certificate != nil {
		shown.Certificate = fmt.Sprintf("%s (serial %d, CA %s)", c.Certificate.KeyID, c.Certificate.Serial, c.Certificate.CA)
	}
	for _, t := range c.Transfers {
		x := admin.Transfer{Direction: admin.Download, Name: vfs.Clip(t.Name), Bytes: t.Bytes, Since: t.Started}
		if t.Upload {
			x.Direction = admin.Upload
		}
		if t.Size >= 0 {
			x.Size = &t.Size
		}
		if passed := now.Sub(t.Started).Seconds(); passed > 0 {
			x.Rate = float64(t.Bytes) / passed
		}
		shown.Transfers = append(shown.Transfers, x)
	}
	return shown
}

// Ready implements [admin.Server].
func (o *operated) Ready(ctx context.Context) []admin.Check {
	v := o.admin.view.Load()
	checks := []admin.Check{{Name: "accepting"}}
	if o.draining() {
		checks[0].Reason = "the server is draining"
	}
	checks = append(checks, checksOf(ctx, v.libraries)...)
	_, err := o.state.Ask(func() (struct{}, error) { return struct{}{}, writable(v.settings.State) })
	checks = append(checks, checkOf("state", err))
	if o.audit.file != nil {
		_, err := o.audited.Ask(func() (struct{}, error) { return struct{}{}, o.audit.file.Health() })
		checks = append(checks, checkOf("audit", err))
	}
	return checks
}

func checkOf(name string, err error) admin.Check {
	if err == nil {
		return admin.Check{Name: name}
	}
	return admin.Check{Name: name, Reason: reasonOf(err)}
}

// writable tries to make a file in a folder.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".ready-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(filepath.Clean(f.Name())))
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
		all = append(all, admin.Quarantined(i))
	}
	return all, err
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
	change, durable, err := o.publish(ctx, i, file, replace)
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
	if err == nil {
		_, err = kept.Drop(id)
	}
	return admin.Quarantined(i), err
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
	u, err := l.Create(ctx, i.Name, vfs.CreateOptions{Create: true, Truncate: true, Exclusive: !replace, Owner: i.Account})
	if err != nil {
		return c, false, err
	}
	if _, err := io.Copy(io.NewOffsetWriter(u, 0), from); err != nil {
		u.Abort()
		return c, false, err
	}
	c, err = u.Commit(ctx)
	return c, l.Properties().Durable, err
}

// Discard implements [admin.Server].
func (o *operated) Discard(by admin.Operator, id string) (admin.Quarantined, error) {
	kept := o.gates.set.Quarantine()
	if kept == nil {
		return admin.Quarantined{}, quarantine.ErrUnknown
	}
	i, err := kept.Drop(id)
	if errors.Is(err, quarantine.ErrUnknown) {
		return admin.Quarantined{}, err
	}
	e := audit.ByOperator(audit.OpDiscard, string(by), err)
	e.Account, e.Library, e.Name, e.Note = i.Account, i.Library, i.Name, i.ID
	o.record(e)
	return admin.Quarantined(i), err
}
