package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/config"
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
		all = append(all, problemsOfLibrary(l)...)
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

func problemsOfLibrary(l admin.Library) (all []string) {
	if l.Problem != "" {
		all = append(all, fmt.Sprintf("library %s: %s", l.Name, l.Problem))
	}
	if l.Gate != nil && l.Gate.Problem != "" {
		all = append(all, fmt.Sprintf("the gate of library %s gives no verdict: %s", l.Name, l.Gate.Problem))
	}
	if l.Gate != nil && l.Gate.Failing > 0 {
		all = append(all, fmt.Sprintf("library %s: of the files that wait for their verdict, %d could not be judged or published yet, and are tried again: see shelfd quarantine list", l.Name, l.Gate.Failing))
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
