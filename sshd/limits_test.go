package sshd

import (
	"net/netip"
	"time"
)

// testLimits are the defaults of shelfd.
func testLimits() Limits {
	return Limits{
		LoginGraceTime: 30 * time.Second,
		MaxAuthTries:   6,
		MaxStartups:    500,
		MaxConnections: 1000,
		MaxSessions:    10,

		PerAccount:      PerAccount{Connections: 500, Channels: 500, OpenFiles: 2048, Memory: 64 << 20},
		SeveralAccounts: true,
		OpenFiles:       10000,
		Memory:          128 << 20,

		PerSourceNetBlockSize: NetBlockSize{32, 64},
		Penalties:             testPenalties(),

		ClientAliveInterval: 15 * time.Second,
		ClientAliveCountMax: 3,
	}
}

// testPenalties are those of OpenSSH for failed logins. Who comes and does not
// try is held back by what its network owes instead. Loopback is exempt: behind a
// forwarder on this machine all clients would be one source.
func testPenalties() Penalties {
	return Penalties{
		AuthFail: 5 * time.Second,
		Min:      15 * time.Second, Max: 10 * time.Minute, MaxSources: 65536,
		Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
}
