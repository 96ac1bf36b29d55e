package main

import (
	"context"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/sshd"
)

// connections is the part that serves connections, from what the other parts
// hold.
type connections struct {
	server *server
	ssh    *sshd.Server

	expiry      func() // ends what removes files that have expired
	rates       rates
	descriptors int // that the process may have; the sandbox lets nobody ask later
}

func (c *connections) check(s config.Settings) error { return limits(s, descriptors()).Check() }

func (c *connections) open(s config.Settings) (err error) {
	if c.ssh, err = sshd.New(c.config(s)); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.server.libraries.set.Expire(ctx, c.server.audit.file.Ready, c.server.expired)
	}()
	c.expiry = func() { stop(); <-ended }
	return nil
}

// reload is listed after the parts that it uses, so that they have committed
// first.
func (c *connections) reload(_, next config.Settings) (func() error, error) {
	return func() error { return c.ssh.Reload(c.config(next)) }, limits(next, c.descriptors).Check()
}

func (c *connections) close() { c.expiry() }

// count is how many connections there are.
func (c *connections) count() int { return c.ssh.Count() }

func (c *connections) config(s config.Settings) sshd.Config {
	p := c.server
	return sshd.Config{
		HostKeys:     p.hostKeys.current.Current,
		NextHostKeys: p.hostKeys.current.Next,
		Accounts:     p.accounts.current,
		FIPS:         s.FIPS,
		Limits:       limits(s, c.descriptors),
		Session:      newServices(s, p.libraries.set, p.gates.set, &c.rates).service,
		Report:       p.report,
		Ready:        p.audit.file.Ready,
		Sums:         p.audit.sums,
		Receipts:     p.audit.receipts(),
		Log:          p.log,
	}
}

// report is told of each event.
func (s *server) report(e sshd.Event) error {
	s.admin.observe(e)
	return s.audit.report(e)
}

// expired reports a file that the server has removed.
func (s *server) expired(x library.Expired) error {
	return s.report(sshd.Event{
		Op: sshd.OpExpire, Time: time.Now(), Err: x.Err, Durable: x.Durable,
		Library: x.Library, Account: x.Account, Name: x.File.Name, Replaced: s.audit.sums.Content(x.File),
	})
}

// descriptors is how many descriptors the process may have.
func descriptors() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return int(min(l.Cur, 1<<30))
}

// limits are the settings that bound what clients can use up. Where there are too
// few descriptors for all of them, each gets a part: what waits to log in, what is
// logged in, and files, of which an upload has two.
func limits(s config.Settings, descriptors int) sshd.Limits {
	const own = 64 // of the server
	p, a := s.PerSourcePenalties, s.AccountLimits
	startups, connections := min(s.MaxStartups.N, descriptors/8), min(s.MaxConnections.N, descriptors/4)
	if !s.ManyAccounts() {
		// Nobody else is to be served: what the server may have is for this one.
		a.Connections.N, a.Channels.N = math.MaxInt32, math.MaxInt32
	}
	return sshd.Limits{
		LoginGraceTime: s.LoginGraceTime.Duration,
		MaxAuthTries:   s.MaxAuthTries.N,
		MaxStartups:    startups,
		MaxConnections: connections,
		MaxSessions:    s.MaxSessions.N,
		PerAccount: sshd.PerAccount{
			Connections: a.Connections.N, Channels: a.Channels.N, OpenFiles: a.OpenFiles.N, Memory: a.Memory.Bytes,
		},
		SeveralAccounts:       s.ManyAccounts(),
		OpenFiles:             max(1, (descriptors-startups-connections-own)/2),
		Memory:                memoryOfClients(s),
		PerSourceMaxStartups:  int(s.PerSourceMaxStartups),
		PerSourceNetBlockSize: sshd.NetBlockSize(s.PerSourceNetBlockSize),
		Penalties: sshd.Penalties{
			AuthFail: p.AuthFail.Duration, NoAuth: p.NoAuth.Duration, GraceExceeded: p.GraceExceeded.Duration,
			Min: p.Min.Duration, Max: p.Max.Duration, MaxSources: int(p.MaxSources),
			Exempt: config.Prefixes(s.PerSourcePenaltyExemptList),
		},
		ExemptProbes:        config.Prefixes(s.ExemptProbes),
		ProxyProtocol:       config.Prefixes(s.ProxyProtocol),
		ClientAliveInterval: s.ClientAliveInterval.Duration,
		ClientAliveCountMax: s.ClientAliveCountMax.N,
	}
}

// memoryOfClients is the part of memory_limit, in bytes, that clients can make the
// server hold. The other half is for connections, and for garbage.
func memoryOfClients(s config.Settings) int64 {
	if s.MemoryLimit.Bytes == 0 {
		return math.MaxInt64 / 4
	}
	return max(s.MemoryLimit.Bytes/2, 1<<20)
}
