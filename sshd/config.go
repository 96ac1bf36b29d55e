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
	"shelf/sshd/budget"
	"shelf/vfs/access"
)

// Config is what a [Server] is built from.
type Config struct {
	HostKeys     []ssh.Signer // plain or with a certificate, the preferred one first
	NextHostKeys []ssh.Signer // not used yet, but announced, so that clients learn them
	Accounts     *keys.Accounts
	FIPS         bool // only algorithms that FIPS 140-3 allows
	Limits       Limits

	// Session returns the service for an account that has just logged in, and again
	// when the connection is judged anew. An error refuses the login, or ends the
	// connection, and is shown to the person at the client.
	Session func(keys.Identity) (Service, error)

	// Report is called for each event, by many goroutines; it may be nil. An error is
	// that the event has to be recorded and is not: what was done is then not
	// acknowledged, and a login ends.
	Report func(Event) error

	// Ready returns nil if events can be recorded. It may be nil. With an error
	// nothing is changed.
	Ready func() error

	Sums *access.Sums // the SHA-256 in events; nil is that they have none

	Receipts access.Receipts // nil gives none

	Log *slog.Logger // for faults and debugging; may be nil
}

// Service is what an account is served: its library, and what it may do there.
// The server fills in who it is and who is told.
type Service struct {
	access.Options
	MaxOpenFiles     int           // handles open at once in a session; 0 is [sftp.DefaultMaxOpenFiles]
	MaxSessions      int           // connections of the account at a time; 0 is as many as [Limits] say
	MaxSessionTime   time.Duration // of a connection; 0 is no limit
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
	LoginGraceTime time.Duration // to be logged in; 0 is no limit
	MaxAuthTries   int           // failures that end a connection
	MaxStartups    int           // connections not logged in yet
	MaxConnections int           // connections logged in
	MaxSessions    int           // channels open at once in a connection

	PerAccount      PerAccount
	SeveralAccounts bool  // there is more than one, and none may take all
	OpenFiles       int   // handles of all together
	Memory          int64 // bytes that all clients together can make the server hold

	PerSourceMaxStartups  int            // MaxStartups for one source; 0 is no limit
	PerSourceNetBlockSize NetBlockSize   // the size of the network that counts as one source
	Penalties             Penalties      // PerSourcePenalties
	ExemptProbes          []netip.Prefix // health checks: they connect and leave, and are not reported
	ProxyProtocol         []netip.Prefix // proxies that send the client's address (PROXY protocol)

	ClientAliveInterval time.Duration // a client silent for this long is sent a keepalive; 0 is never
	ClientAliveCountMax int           // unanswered keepalives after which a connection is closed
}

// PerAccount bounds what one account has on all its connections together.
type PerAccount struct {
	Connections, Channels, OpenFiles int
	Memory                           int64 // bytes that its clients can make the server hold
}

// NetBlockSize is how many bits of an address make a source.
type NetBlockSize struct{ IPv4, IPv6 int }

// Check returns an error for limits that make no sense.
func (l Limits) Check() error {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"max_auth_tries", l.MaxAuthTries}, {"max_startups", l.MaxStartups}, {"max_connections", l.MaxConnections}, {"max_sessions", l.MaxSessions},
		{"client_alive_count_max", l.ClientAliveCountMax},
		{"account_limits.connections", l.PerAccount.Connections}, {"account_limits.channels", l.PerAccount.Channels}, {"account_limits.open_files", l.PerAccount.OpenFiles},
	} {
		if limit.value < 1 {
			return fmt.Errorf("%s is %d; it must be 1 or more", limit.name, limit.value)
		}
	}
	if b := l.PerSourceNetBlockSize; b.IPv4 < 0 || b.IPv4 > 32 || b.IPv6 < 0 || b.IPv6 > 128 {
		return fmt.Errorf("per_source_net_block_size is %d:%d; it must be 0 to 32 bits for IPv4, and 0 to 128 bits for IPv6", b.IPv4, b.IPv6)
	}
	if l.PerSourceMaxStartups < 0 || l.Penalties.MaxSources < 0 {
		return errors.New("per_source_max_startups and max_sources must not be negative")
	}
	if l.PerAccount.Memory < 1<<20 || l.Memory < 1<<20 || l.OpenFiles < 1 {
		return errors.New("account_limits.memory must be 1 MiB or more")
	}
	if l.LoginGraceTime < 0 || l.ClientAliveInterval < 0 {
		return errors.New("login_grace_time and client_alive_interval must not be negative")
	}
	return nil
}

// budget is what accounts share.
func (l Limits) budget() budget.Limits {
	b := budget.Limits{Several: l.SeveralAccounts}
	b.Of[budget.Connections] = budget.Limit{
		Account: int64(l.PerAccount.Connections), Setting: "account_limits.connections",
		All: int64(l.MaxConnections), AllSetting: "max_connections",
	}
	// A client that moves many files opens more than one channel, most do not.
	b.Of[budget.Channels] = budget.Limit{
		Account: int64(l.PerAccount.Channels), Setting: "account_limits.channels",
		All: 2 * int64(l.MaxConnections+l.MaxSessions), AllSetting: "max_connections",
	}
	b.Of[budget.OpenFiles] = budget.Limit{
		Account: int64(l.PerAccount.OpenFiles), Setting: "account_limits.open_files",
		All: int64(l.OpenFiles), AllSetting: "LimitNOFILE of the process",
	}
	b.Of[budget.Memory] = budget.Limit{
		Account: l.PerAccount.Memory, Setting: "account_limits.memory",
		All: l.Memory, AllSetting: "memory_limit",
	}
	return b
}
