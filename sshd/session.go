package sshd

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"shelf/sshd/backlog"
	"shelf/sshd/sftp"
	"shelf/sshd/window"
	"shelf/vfs"
	"shelf/vfs/access"
)

// session is one channel of the type "session" (RFC 4254 section 6). It belongs to
// the goroutine that handles its requests; its program has another goroutine.
type session struct {
	conn    *conn
	channel *window.Window
	ctx     context.Context // ends when the client closes the channel
	queue   *backlog.Queue  // what the client has sent on it
	running atomic.Bool     // the program has been started
	told    sync.Once       // why no program runs
	pty     bool            // the client asked for a terminal
	settle  func()          // takes it out of conn.unsettled; more calls do nothing
	program sync.WaitGroup  // the goroutine of the program
	ended   sync.Once       // it has ended, or the server has ended it
}

// The exit statuses of programs, as shells use them.
const (
	exitOK       = 0
	exitFailure  = 1
	exitNotFound = 127
)

// serveSession handles a channel's requests until both sides have closed it: only
// then x/crypto forgets the channel, and the client may open another.
func (c *conn) serveSession(open ssh.NewChannel) {
	c.unsettled.Add(1)
	settle := sync.OnceFunc(func() { c.unsettled.Add(-1) })
	defer settle()
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	ctx, gone := context.WithCancel(c.ctx)
	s := &session{conn: c, channel: c.widen(channel), ctx: ctx, settle: settle}
	defer s.channel.End()
	queue, done := c.backlog.Add(channel, requests)
	defer done()
	s.queue = queue
	c.spawn(s.awaitProgram)
	defer s.program.Wait()
	defer gone()
	defer ssh.DiscardRequests(requests)
	defer channel.Close()
	for r := range requests {
		s.request(r)
	}
}

// request answers one request (RFC 4254 section 6.2 to 6.7). All others are
// refused, such as env, x11-req and auth-agent-req@openssh.com.
//
// A terminal is granted, though there is none: clients that are refused one give
// up, and never show the sentence that says what this service is.
func (s *session) request(r *ssh.Request) {
	switch r.Type {
	case "subsystem":
		s.subsystem(r)
	case "shell":
		s.start(r, s.shell)
	case "exec":
		line, _ := stringOf(r.Payload)
		s.start(r, func() uint32 { return s.exec(line) })
	case "pty-req":
		s.terminal(r)
	case "env", "window-change", "signal": // what clients send without being asked to
		r.Reply(false, nil)
	default:
		s.conn.unserved(OpRequest, r.Type, errUnserved)
		r.Reply(false, nil)
	}
}

// shell says that there is none.
func (s *session) shell() uint32 {
	const why = "there is no shell"
	s.conn.unserved(OpShell, "", &vfs.Error{Kind: vfs.ErrUnsupported, Why: why})
	return s.apologize(why, exitFailure)
}

// terminal answers pty-req (RFC 4254 section 6.2), which comes before the program.
func (s *session) terminal(r *ssh.Request) {
	var p struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	if s.running.Load() || ssh.Unmarshal(r.Payload, &p) != nil {
		r.Reply(false, nil)
		return
	}
	s.pty = true
	s.conn.unserved(OpTerminal, p.Term, nil)
	r.Reply(true, nil)
}

// stderr is where messages to a person go. A terminal has one stream, so a client
// that asked for one may not read stderr.
func (s *session) stderr() io.Writer {
	if s.pty {
		return s.channel
	}
	return s.channel.Stderr()
}

// stringOf parses a payload that should be one string.
func stringOf(payload []byte) (string, bool) {
	var p struct{ Value string }
	if ssh.Unmarshal(payload, &p) != nil {
		return "", false
	}
	return p.Value, true
}

// subsystem starts sftp, the only subsystem.
func (s *session) subsystem(r *ssh.Request) {
	name, ok := stringOf(r.Payload)
	if ok && name == "sftp" {
		s.settle()
		s.start(r, s.sftp)
		return
	}
	if ok && !s.running.Load() {
		s.tell("This is a file service; the only subsystem is sftp.\r\n")
	}
	s.conn.unserved(OpSubsystem, name, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "the only subsystem is sftp"})
	r.Reply(false, nil)
}

// start runs a program on the channel, then sends its exit status and closes the
// channel. A channel runs only one program (RFC 4254 section 6.5). Without an exit
// status, scp takes the transfer for failed.
func (s *session) start(r *ssh.Request, program func() (status uint32)) {
	if s.running.Swap(true) {
		r.Reply(false, nil)
		return
	}
	r.Reply(true, nil)
	s.conn.measured.Do(func() { s.conn.spawn(s.conn.measure) })
	s.program.Go(func() {
		s.conn.guard(func() {
			defer s.end(exitFailure, true)
			s.end(program(), true)
		})
		io.Copy(io.Discard, s.channel) // what a client may send until it has closed the channel too
	})
}

// end ends the channel of a program, once. alone is that no other goroutine may be
// writing to the channel: x/crypto takes its EOF from nobody else.
func (s *session) end(status uint32, alone bool) {
	s.ended.Do(func() {
		defer s.channel.Close()
		s.farewell()
		if alone {
			s.channel.CloseWrite()
		}
		s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	})
}

// apologize prints what is wrong, and which clients work here.
func (s *session) apologize(what string, status uint32) uint32 {
	const hint = "Connect with sftp, scp or shelf instead, with the same host, port and user."
	fmt.Fprintf(s.stderr(), "This is a file service; %s.\r\n%s\r\n", what, hint)
	return status
}

// sftp serves the library.
func (s *session) sftp() uint32 {
	c := s.conn
	o := c.options()
	o.Temporaries, o.Asking = c.held, s.ctx
	files, service := access.New(c.ctx, o), c.served()
	defer s.run(files)()
	session := sftp.NewSession(sftp.Options{Access: files, MaxOpenFiles: service.MaxOpenFiles, Buffers: c.buffers, Share: c.pass.share, Log: c.log})
	if err := session.Serve(c.ctx, throttle(c.ctx, c.steady.Channel(s.channel), service), s.channel.Stderr()); err != nil {
		c.log.Debug("sftp session failed", "err", err)
		return exitFailure
	}
	return exitOK
}

// served is what the account is served now.
func (c *conn) served() Service {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.service
}

// options are the service, with who it is for and who is told.
func (c *conn) options() access.Options {
	o := c.served().Options
	o.Turns = c.pass.gate.digests.Take
	o.Account, o.Report, o.Ready, o.Log = c.identity.Account, c.reportFile, c.config.Ready, c.log
	o.Sums, o.Receipts, o.Origin = c.config.Sums, c.config.Receipts, c.origin()
	o.Transfers, o.Panics = &c.transfers, c.panics
	return o
}

// program is what runs on a channel: sftp or a command.
type program struct {
	*session
	files *access.Session
}

// run counts the session as one that runs a program, until done is called.
func (s *session) run(files *access.Session) (done func()) {
	c, p := s.conn, &program{s, files}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.programs[p] = struct{}{}
	files.Change(c.service.Options) // it may have changed meanwhile
	if why := c.dismissed; why != nil {
		files.Stop(why.Reason, why.keeps())
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.programs, p)
	}
}
