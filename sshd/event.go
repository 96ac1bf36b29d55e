package sshd

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"shelf/vfs"
)

// The operations of an [Event] that a [vfs.Event] does not have.
const (
	OpLogin   = "login"
	OpRefusal = "refusal" // a try to log in that failed, or a connection that ended without one; Err says why
	OpLogout  = "logout"
	OpExec    = "exec" // a command line was refused; Name has it
)

// Event is one thing that a client did or was refused. Strings that came from
// the client, which are Account, ClientVersion, Name, Target and parts of Err,
// are as they came: whoever prints them escapes them. What is longer than any
// honest one is cut, and its length told.
type Event struct {
	Time           time.Time // when it began
	Conn           string    // the connection, the same for all its events
	Account        string    // of a refusal: the one asked for, if any
	Method         string    // how it was proven who it is, or was to be, as "publickey"
	KeyFingerprint string    // "SHA256:..."
	Certificate    string    // key ID, serial number and authority
	Source         string    // address and port of the client
	ClientVersion  string    // its version line (RFC 4253 section 4.2)
	Op             string
	Name           string
	Target         string // the new name of a rename
	Bytes          int64
	Duration       time.Duration
	Err            error // nil if it succeeded
}

// event makes an event of this connection.
func (c *conn) event(op string, start time.Time, err error) Event {
	return Event{
		Time: start, Duration: time.Since(start), Op: op, Err: err,
		Conn: c.id, Source: c.source, ClientVersion: c.hello.version,
		Account: c.identity.Account, Method: c.identity.Method, KeyFingerprint: c.identity.Fingerprint, Certificate: bounded(c.identity.Certificate, maxField),
	}
}

// The longest texts from clients that an event takes, in bytes.
const (
	maxField  = 256
	maxReason = 1024
)

// bounded cuts a text that a client could make as long as it likes, and tells how
// long it was.
func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:cut], len(text))
}

// boundedErr is an error whose text is bounded; nil stays nil.
func boundedErr(err error) error {
	if err == nil || len(err.Error()) <= maxReason {
		return err
	}
	return errors.New(bounded(err.Error(), maxReason))
}

// reportFile passes on an event of a session.
func (c *conn) reportFile(v vfs.Event) {
	e := c.event(v.Op, v.Start, v.Err)
	e.Name, e.Target, e.Bytes, e.Duration = v.Name, v.Target, v.Bytes, v.Duration
	c.config.Report(e)
}
