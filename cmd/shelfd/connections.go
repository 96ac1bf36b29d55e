package main

import (
	"shelf/cmd/shelfd/config"
	"shelf/sshd"
)

// connections is the part that serves connections, from what the other parts
// hold.
type connections struct {
	server *server
	ssh    *sshd.Server
}

func (c *connections) check(s config.Settings) error { return limits(s).Check() }

func (c *connections) open(s config.Settings) (err error) {
	c.ssh, err = sshd.New(c.config(s))
	return err
}

// reload is listed after the parts that it uses, so that they have committed
// first.
func (c *connections) reload(_, next config.Settings) (func() error, error) {
	return func() error { return c.ssh.Reload(c.config(next)) }, limits(next).Check()
}

func (c *connections) close() {}

// count is how many connections there are.
func (c *connections) count() int { return c.ssh.Connections() }

func (c *connections) config(s config.Settings) sshd.Config {
	p := c.server
	return sshd.Config{
		HostKeys:     p.hostKeys.current.Current,
		NextHostKeys: p.hostKeys.current.Next,
		Accounts:     p.accounts.current,
		FIPS:         s.FIPS,
		Limits:       limits(s),
		Session:      services(s, p.libraries.byName),
		Report:       p.audit.report(s),
		Ready:        p.audit.ready(s),
		Log:          p.log,
	}
}

// limits are the settings that bound what clients can use up.
func limits(s config.Settings) sshd.Limits {
	p := s.PerSourcePenalties
	return sshd.Limits{
		LoginGraceTime:        s.LoginGraceTime.Duration,
		MaxAuthTries:          s.MaxAuthTries.N,
		MaxStartups:           s.MaxStartups.N,
		MaxConnections:        s.MaxConnections.N,
		MaxSessions:           s.MaxSessions.N,
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
