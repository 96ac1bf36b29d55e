package sshd

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
)

// Config is what a [Server] is built from.
type Config struct {
	HostKeys []ssh.Signer
	Accounts *keys.Accounts
	Limits   Limits

	// Session says what an account that has logged in is served: its library,
	// and what it may do there. The server fills in who it is and who is told.
	// An error is shown to the person at the client.
	Session func(keys.Identity) (vfs.SessionOptions, error)

	Report func(Event)  // told of each event, from many goroutines; may be nil
	Log    *slog.Logger // faults, and what helps to find them; may be nil
}

func (c Config) check() error {
	switch {
	case len(c.HostKeys) == 0:
		return errors.New("sshd: no host key")
	case c.Accounts == nil:
		return errors.New("sshd: no accounts")
	case c.Session == nil:
		return errors.New("sshd: nothing to serve")
	}
	return c.Limits.check()
}

// Limits bound what clients can use up. Their names and meanings are those of
// sshd_config(5), as far as it has them; messages write them in snake_case.
type Limits struct {
	LoginGraceTime      time.Duration // to be logged in; 0 is no limit
	MaxAuthTries        int           // failures that end a connection
	MaxStartups         Startups      // connections not logged in yet
	MaxConnections      int           // connections in all
	MaxSessions         int           // channels open at once in a connection
	ClientAliveInterval time.Duration // after which a silent client is asked; 0 is never
	ClientAliveCountMax int           // unanswered in a row that end a connection
}

// Startups is MaxStartups of sshd_config(5): with Start connections not logged
// in yet, a new one is turned away at a chance of Rate percent, which grows to
// all at Full.
type Startups struct{ Start, Rate, Full int }

// DefaultLimits are limits for a service of some hundred people.
func DefaultLimits() Limits {
	return Limits{
		LoginGraceTime:      30 * time.Second,
		MaxAuthTries:        6,
		MaxStartups:         Startups{Start: 100, Rate: 30, Full: 200},
		MaxConnections:      1000,
		MaxSessions:         10,
		ClientAliveInterval: 15 * time.Second,
		ClientAliveCountMax: 3,
	}
}

func (l Limits) check() error {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"max_auth_tries", l.MaxAuthTries}, {"max_startups", l.MaxStartups.Start},
		{"max_connections", l.MaxConnections}, {"max_sessions", l.MaxSessions},
		{"client_alive_count_max", l.ClientAliveCountMax},
	} {
		if limit.value < 1 {
			return fmt.Errorf("%s is %d; it must be 1 or more", limit.name, limit.value)
		}
	}
	if s := l.MaxStartups; s.Full < s.Start || s.Rate < 0 || s.Rate > 100 {
		return fmt.Errorf("max_startups is %d:%d:%d; it must be start:rate:full with start up to full and rate a percentage",
			s.Start, s.Rate, s.Full)
	}
	if l.LoginGraceTime < 0 || l.ClientAliveInterval < 0 {
		return errors.New("login_grace_time and client_alive_interval must not be negative")
	}
	return nil
}
