// Package admin is how an operator looks into a server that runs, and steers it.
//
// Two ways lead in. The socket, for the server's user and for root alone, has all
// of it: see [API]. The web address has what may be looked at: see [Web]. Both
// speak HTTP. Nothing can be changed by way of the web address.
//
//	admin.go     Server: what is asked of the server
//	answers.go   what it answers, as JSON
//	api.go       API: the requests of the socket, /v1/...
//	socket.go    the socket
//	peer_*.go    who is at its other end
//	web.go       Web: /metrics, /livez, /readyz and the page
//	patient.go   asks what may never answer, such as a disk
//	cache.go     answers that are good for a second
//	ready.go     whether the server can do its work, as probes read it
//	http.go      limits of both
//
// The commands that ask over the socket are in package operate.
package admin

import "context"

// Server is the server that runs. Its methods are safe for concurrent use.
type Server interface {
	// Status is how it is. It does not wait for disks.
	Status() Status

	// Connections lists those that are logged in, the oldest first.
	Connections() []Connection

	// Ready looks whether it can do its work. It may wait for disks.
	Ready(context.Context) []Check

	// Usage counts what libraries hold. It may take long.
	Usage(context.Context) ([]Usage, error)

	// Kick ends a connection, or all of an account, and tells which. The reason is
	// shown to the person at the client.
	Kick(by Operator, who, reason string) ([]Connection, error)

	// Bans lists the sources that are turned away.
	Bans() []Ban

	// Unban forgets the penalties of an address or of a network, and of all within.
	// It tells which.
	Unban(by Operator, source string) ([]Ban, error)

	// Quarantine lists what gates have refused and kept, or hold, the oldest first.
	Quarantine() ([]Quarantined, error)

	// Release publishes a file of that list under its name, which may be replaced, and
	// takes it off.
	Release(ctx context.Context, by Operator, id string, replace bool) (Quarantined, error)

	// Discard takes a file off that list for good.
	Discard(ctx context.Context, by Operator, id string) (Quarantined, error)

	// Drain takes no new connections from now on, and ends the server when nothing is
	// read or written any more.
	Drain(by Operator)

	// Reload reads the configuration again. The error is all that is wrong with it.
	Reload(by Operator) error
}

// Operator is who asks for something: a person on the machine of the server, such
// as "ada (uid 1000)".
type Operator string
