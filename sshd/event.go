package sshd

import (
	"time"

	"shelf/vfs"
)

// The operations of an [Event] that are not those of a [vfs.Event].
const (
	OpLogin   = "login"
	OpRefusal = "refusal" // a connection that ended before login; Err says why
	OpLogout  = "logout"
	OpExec    = "exec" // a command line that was refused, which is in Name
)

// Event is one thing that a client did or was refused. Strings that came from
// the client, which are Account, ClientVersion, Name, Target and parts of Err,
// are as they came: whoever prints them escapes them.
type Event struct {
	Time           time.Time // when it began
	Conn           string    // the connection, the same for all its events
	Account        string    // of a refusal: the one last asked for, if any
	Method         string    // how it was proven who it is, as "publickey"
	KeyFingerprint string    // "SHA256:..."
	Certificate    string    // key ID, serial number and authority
	Source         string    // address and port of the client
	ClientVersion  string    // its version line (RFC 4253 section 4.2)
	Op             string
	Name           string
	Target         string // the new name of a rename
	Bytes          int64
	Duration       time.Duration
	Err            error // nil if it was done
}

// event begins an event of this connection.
func (c *conn) event(op string, start time.Time, err error) Event {
	return Event{
		Time: start, Duration: time.Since(start), Op: op, Err: err,
		Conn: c.id, Source: c.source, ClientVersion: c.hello.version,
		Account: c.identity.Account, Method: c.identity.Method, KeyFingerprint: c.identity.Fingerprint, Certificate: c.identity.Certificate,
	}
}

// reportFile passes on an event of a session.
func (c *conn) reportFile(v vfs.Event) {
	e := c.event(v.Op, v.Start, v.Err)
	e.Name, e.Target, e.Bytes, e.Duration = v.Name, v.Target, v.Bytes, v.Duration
	c.config.Report(e)
}
