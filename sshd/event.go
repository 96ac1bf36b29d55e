package sshd

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
)

// The operations of an [Event] that a [vfs.Event] does not have.
const (
	OpLogin   = "login"
	OpRefusal = "refusal" // a try to log in that failed, or a connection that ended without one; Err says why
	OpLogout  = "logout"

	// What there is not here. Name says what was asked for; see unserved.
	OpExec      = "exec"      // a command line
	OpShell     = "shell"     // a shell
	OpTerminal  = "pty"       // a terminal, which is granted, so that a person is told that there is no shell
	OpSubsystem = "subsystem" // another subsystem than sftp
	OpForward   = "forward"   // a connection or socket forwarded, either way
	OpRequest   = "request"   // any other request

	// The server ends a connection; Note says why, as the person reads it.
	OpRevoked = "revoked" // the key or certificate may not log in any more
	OpExpired = "expired" // the account, key, certificate or session has come to its end
	OpRemoved = "removed" // the account is gone, or may not log in from there
	OpKicked  = "kicked"  // an operator has asked for it

	// The server removes a file, which has no connection.
	OpExpire = "expire" // it is older than expire_after
)

// Event is something that a client did, or tried to do. Account, ClientVersion,
// Name, Target, Restored and parts of Err come from the client and are not escaped:
// whoever prints them must do that. They are short: [vfs.Clip].
type Event struct {
	Time           time.Time // when it began
	Conn           string    // the connection, the same for all its events
	Account        string    // of a refusal: the one asked for, if any
	Method         string    // how it was proven who it is, or was to be, as "publickey"
	KeyFingerprint string    // "SHA256:..."
	Certificate    *keys.Certificate
	Source         string // address and port of the client
	ClientVersion  string // its version line (RFC 4253 section 4.2)
	Op             string
	Name           string
	Target         string // the new name of a rename
	Bytes          int64
	Duration       time.Duration
	Err            error // nil if it succeeded

	Library  string       // in which library
	File     *vfs.Content // these are as in [vfs.Event]
	Replaced *vfs.Content
	Gate     string
	New      bool
	Set      vfs.Attr
	Restored string
	Durable  bool
	Omitted  int // of a logout: what was left out, for there was too much of it

	Operator string // who has done it, if no client has: see package audit
	Note     string // the reason that the operator gave, why the server ends a connection, or the id of what is held
	Program  string // version of the server, when it starts
}

// Result is what has become of it, in a word.
func (e Event) Result() string {
	switch {
	case e.Err == nil:
		return vfs.ResultOK
	case e.Op == OpRefusal, e.Op == OpExec:
		return vfs.ResultRefused
	}
	return vfs.ResultOf(e.Err)
}

// event makes an event of this connection.
func (c *conn) event(op string, start time.Time, err error) Event {
	return Event{
		Time: start, Duration: time.Since(start), Op: op, Err: err,
		Conn: c.id, Source: c.source, ClientVersion: c.hello.Version,
		Account: c.identity.Account, Method: c.identity.Method, KeyFingerprint: c.identity.Fingerprint, Certificate: c.identity.Certificate,
	}
}

// maxReason is the longest error text that an event takes, in bytes: parts of it
// may come from the client.
const maxReason = 1024

// boundedErr is an error whose text is bounded; nil stays nil.
func boundedErr(err error) error {
	if err == nil || len(err.Error()) <= maxReason {
		return err
	}
	return &clippedErr{vfs.ClipTo(err.Error(), maxReason), err}
}

// clippedErr is an error with less of a text.
type clippedErr struct {
	text string
	err  error
}

func (e *clippedErr) Error() string { return e.text }
func (e *clippedErr) Unwrap() error { return e.err }

// What failed is reported, but not without end: a client could fill the disk with
// requests that it may not make. What was done is always reported.
const (
	failuresPerSecond = 1   // of a connection
	failuresAtFirst   = 200 // of these at once
	failuresOfAll     = 100 // a second, of all connections
	failuresAtOnce    = 2000
)

// report reports an event of this connection. If it is of something that failed, and
// there were too many of those, it is only counted; the logout says how many.
func (c *conn) report(e Event) error {
	if e.Err != nil && !errors.Is(e.Err, vfs.ErrUncertain) && !(c.failures.Allow() && c.pass.gate.failures.Allow()) {
		c.omitted.Add(1)
		return nil
	}
	return c.config.Report(e)
}

// clipped shortens what comes from the client.
func (e Event) clipped() Event {
	e.Err = boundedErr(e.Err)
	for _, text := range []*string{&e.Account, &e.Method, &e.ClientVersion, &e.Name, &e.Target, &e.Restored} {
		*text = vfs.Clip(*text)
	}
	if c := e.Certificate; c != nil && len(c.KeyID) > len(vfs.Clip(c.KeyID)) {
		e.Certificate = &keys.Certificate{KeyID: vfs.Clip(c.KeyID), Serial: c.Serial, CA: c.CA}
	}
	return e
}

// reportFile reports an event of a session.
func (c *conn) reportFile(v vfs.Event) error {
	if v.Unserved && !c.oneMore() {
		return nil
	}
	return c.report(c.event(v.Op, v.Start, v.Err).about(v))
}

// about has the event tell of a file.
func (e Event) about(v vfs.Event) Event {
	e.Name, e.Target, e.Bytes, e.Duration = v.Name, v.Target, v.Bytes, v.Duration
	e.Library, e.File, e.Replaced, e.Gate, e.New, e.Restored, e.Durable = v.Library, v.File, v.Replaced, v.Gate, v.New, v.Restored, v.Durable
	e.Set, e.Note = v.Set, v.Held
	return e
}

// Later is an event of an upload whose connection may have ended by now.
func Later(account string, from vfs.Origin, v vfs.Event) Event {
	e := Event{
		Time: v.Start, Op: v.Op, Err: v.Err, Account: account,
		Conn: from.Conn, Source: from.Source, ClientVersion: from.Client, Method: from.Method, KeyFingerprint: from.Key,
	}
	if c := from.Cert; c != nil {
		e.Certificate = &keys.Certificate{KeyID: c.KeyID, Serial: c.Serial, CA: c.CA}
	}
	return e.about(v).clipped()
}

// origin is this connection, for what is told of its uploads later.
func (c *conn) origin() vfs.Origin {
	e := c.event("", c.started, nil).clipped()
	o := vfs.Origin{Conn: e.Conn, Source: e.Source, Client: e.ClientVersion, Method: e.Method, Key: e.KeyFingerprint}
	if cert := e.Certificate; cert != nil {
		o.Cert = &vfs.Signed{KeyID: cert.KeyID, Serial: cert.Serial, CA: cert.CA}
	}
	return o
}

// maxUnserved is how many events a connection has of requests for what there is
// not here.
const maxUnserved = 100

// oneMore tells whether there may be an event of one more. Of those left out the
// logout tells the number.
func (c *conn) oneMore() bool { return c.asked.Add(1) <= maxUnserved }

// unserved reports that a client has asked for what there is not here: who runs
// the server wants to know who tried to get a shell.
func (c *conn) unserved(op, name string, why error) {
	if !c.oneMore() {
		return
	}
	e := c.event(op, time.Now(), why)
	e.Name = name
	c.config.Report(e)
}

// logout is the last event of a connection.
func (c *conn) logout() {
	e := c.event(OpLogout, c.loggedIn, nil)
	e.Omitted = max(0, int(c.asked.Load())-maxUnserved) + int(c.omitted.Load())
	c.config.Report(e)
}

// errUnserved is why a request is refused that there is no better reason for.
var errUnserved = &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this is a file service; that request is not supported"}

// errForward is why nothing is forwarded.
var errForward = &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this is a file service; forwarding is not supported"}

// forward is what a client wants forwarded, as its channel (RFC 4254 section 7.2;
// OpenSSH's PROTOCOL, section 2.4) or global request (section 7.1) says.
func forward(kind string, payload []byte) string {
	var p struct {
		Where string
		Port  uint32
		Rest  []byte `ssh:"rest"`
	}
	switch {
	case ssh.Unmarshal(payload, &p) != nil:
		return kind
	case strings.Contains(kind, "streamlocal"):
		return kind + " " + p.Where
	}
	return kind + " " + net.JoinHostPort(p.Where, strconv.FormatUint(uint64(p.Port), 10))
}
