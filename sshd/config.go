package sshd

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"shelf/keys"
	"shelf/vfs/access"
)

// Config is what a [Server] is built from.
type Config struct {
	HostKeys     []ssh.Signer // plain or with a certificate, the preferred one first
	NextHostKeys []ssh.Signer // not used yet, but announced, so that clients learn them
	Accounts     *keys.Accounts
	FIPS         bool // only algorithms that FIPS 140-3 allows
	Limits       Limits

	// Session returns the service for an account that has just logged in. It is
	// called once per connection. An error refuses the login and is shown to the
	// person at the client.
	Session func(keys.Identity) (Service, error)

	Report func(Event)  // called for each event, by many goroutines; may be nil
	Log    *slog.Logger // for faults and debugging; may be nil
}

// Service is what an account is served: its library, and what it may do there.
// The server fills in who it is and who is told.
type Service struct {
	access.Options
	MaxOpenFiles     int           // handles open at once in a session; 0 is [sftp.DefaultMaxOpenFiles]
	MaxSessions      int           // connections of the account at a time; 0 is no limit
	Upload, Download *rate.Limiter // bytes per second of all these together; nil is no limit
}

// check returns an error if the configuration can't be served.
func (c Config) check() error {
	switch {
	case len(c.HostKeys) == 0:
		return errors.New("sshd: no host key")
	case c.Accounts == nil:
		return errors.New("sshd: no accounts")
	case c.Session == nil:
		return errors.New("sshd: no service")
	}
	return c.Limits.Check()
}

// Limits bound what clients can use up. Where sshd_config(5) has the same limit,
// name and meaning are the same. Messages write the names in snake_case.
type Limits struct {
	LoginGraceTime time.Duration // how long a login may take; 0 is no limit
	MaxAuthTries   int           // failed tries after which a connection is closed
	MaxStartups    Startups      // connections that are not logged in yet
	MaxConnections int           // all connections
	MaxSessions    int           // open channels per connection

	PerSourceMaxStartups  int            // MaxStartups for one source; 0 is no limit
	PerSourceNetBlockSize NetBlockSize   // the size of the network that counts as one source
	Penalties             Penalties      // PerSourcePenalties
	ExemptProbes          []netip.Prefix // health checks: they connect and leave, and are not reported
	ProxyProtocol         []netip.Prefix // proxies that send the client's address (PROXY protocol)

	ClientAliveInterval time.Duration // a client silent for this long is sent a keepalive; 0 is never
	ClientAliveCountMax int           // unanswered keepalives after which a connection is closed
}

// Startups is MaxStartups of sshd_config(5). With Start connections that are not
// logged in yet, a new one is refused with a probability of Rate percent. The
// probability grows to 100 percent at Full connections.
type Startups struct{ Start, Rate, Full int }

// Check returns an error for values that make no sense.
func (s Startups) Check() error {
	if s.Start < 1 || s.Full < s.Start || s.Rate < 0 || s.Rate > 100 {
		return fmt.Errorf("%d:%d:%d is not start:rate:full; start must be 1 or more, rate 0 to 100 percent, and full no less than start",
			s.Start, s.Rate, s.Full)
	}
	return nil
}

// NetBlockSize is how many bits of an address identify a source.
type NetBlockSize struct{ IPv4, IPv6 int }

// DefaultLimits are limits for a service with some hundred users.
func DefaultLimits() Limits {
	return Limits{
		LoginGraceTime: 30 * time.Second,
		MaxAuthTries:   6,
		MaxStartups:    Startups{Start: 100, Rate: 30, Full: 200},
		MaxConnections: 1000,
		MaxSessions:    10,

		PerSourceMaxStartups:  64,
		PerSourceNetBlockSize: NetBlockSize{32, 64},
		Penalties:             DefaultPenalties(),

		ClientAliveInterval: 15 * time.Second,
		ClientAliveCountMax: 3,
	}
}

// DefaultPenalties are those of OpenSSH. Loopback is exempt: all clients behind a
// forwarder on this machine would be one source.
func DefaultPenalties() Penalties {
	return Penalties{
		AuthFail: 5 * time.Second, NoAuth: time.Second, GraceExceeded: 10 * time.Second,
		Min: 15 * time.Second, Max: 10 * time.Minute, MaxSources: 65536,
		Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
}

// Check returns an error for limits that make no sense.
func (l Limits) Check() error {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"max_auth_tries", l.MaxAuthTries}, {"max_connections", l.MaxConnections}, {"max_sessions", l.MaxSessions},
		{"client_alive_count_max", l.ClientAliveCountMax},
	} {
		if limit.value < 1 {
			return fmt.Errorf("%s is %d; it must be 1 or more", limit.name, limit.value)
		}
	}
	if err := l.MaxStartups.Check(); err != nil {
		return fmt.Errorf("max_startups: %w", err)
	}
	if b := l.PerSourceNetBlockSize; b.IPv4 < 0 || b.IPv4 > 32 || b.IPv6 < 0 || b.IPv6 > 128 {
		return fmt.Errorf("per_source_net_block_size is %d:%d; it must be 0 to 32 bits for IPv4, and 0 to 128 bits for IPv6", b.IPv4, b.IPv6)
	}
	if l.PerSourceMaxStartups < 0 || l.Penalties.MaxSources < 0 {
		return errors.New("per_source_max_startups and max_sources must not be negative")
	}
	if l.LoginGraceTime < 0 || l.ClientAliveInterval < 0 {
		return errors.New("login_grace_time and client_alive_interval must not be negative")
	}
	return nil
}
