package sshd

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"shelf/keys"
	"shelf/sshd/backlog"
	"shelf/sshd/sftp"
	"shelf/sshd/window"
	"shelf/sshd/wire"
	"shelf/vfs/access"
)

// conn is one client's connection. The fields that mu does not guard belong to
// the goroutine of run. They don't change once there are other goroutines.
type conn struct {
	config   Config
	wire     *wire.Wire
	buffers  *sftp.Buffers       // of its sftp sessions
	held     *access.Temporaries // by its sftp sessions
	windows  *window.Pool        // of its channels
	pass     *pass
	refusals *refusals
	panics   *atomic.Int64
	ctx      context.Context // of all that is done for the client
	cancel   context.CancelFunc
	log      *slog.Logger

	id       string
	source   string
	started  time.Time
	loggedIn time.Time // zero until then
	hello    wire.Hello
	tries    tries
	identity keys.Identity // proven
	client   *ssh.ServerConn
	backlog  *backlog.Backlog

	asked     atomic.Int32  // how often for what there is not here
	unsettled atomic.Int32  // channels with a command, or on which one may start yet
	failures  *rate.Limiter // what failed, as events
	omitted   atomic.Int64  // of these, for there were too many
	steady    *backlog.Steady
	leaving   atomic.Pointer[context.CancelFunc] // ends what is judged for the login; nil before
	lost      atomic.Bool                        // the network connection has failed, as x/crypto is told now
	measured  sync.Once                          // roundTrip has been asked for
	roundTrip atomic.Int64                       // to the client and back, in nanoseconds; 0 is not known

	transfers access.Transfers

	owned sync.WaitGroup // all goroutines except the one of run

	mu        sync.Mutex
	info      *ConnInfo             // once it is logged in; mu
	service   Service               // what the account is served; mu
	due       time.Time             // when to judge it again; mu
	channels  int                   // how many are open; mu
	programs  map[*program]struct{} // mu
	dismissed *Ending               // why the server ends the connection; mu
}

func (s *Server) newConn(ctx context.Context, nc net.Conn, p *pass) *conn {
	config := *s.current.Load()
	c := &conn{
		config: config, buffers: &s.buffers, held: s.held, windows: s.windows, pass: p,
		refusals: s.refusals, panics: &s.panics, transfers: access.Transfers{Total: &s.traffic},
		id: rand.Text()[:8], source: nc.RemoteAddr().String(), started: time.Now(),
		programs: make(map[*program]struct{}), failures: rate.NewLimiter(failuresPerSecond, failuresAtFirst),
	}
	c.wire = wire.New(nc, &s.reads, c.started, c.losing)
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.steady = backlog.NewSteady(c.ctx, c.wire.Sent())
	c.log = config.Log.With("conn", c.id)
	return c
}

// run serves the connection to its end.
func (c *conn) run() {
	stop := context.AfterFunc(c.ctx, func() { c.wire.Close() })
	defer stop()
	c.guard(c.serve)
	c.close()
	c.owned.Wait()
	if !c.loggedIn.IsZero() {
		c.guard(c.logout)
	}
}

// close ends the connection; run returns soon after. Any goroutine may call it.
func (c *conn) close() {
	c.cancel()
	c.wire.Close()
}

// guard runs f. If f panics, only this connection ends.
func (c *conn) guard(f func()) {
	defer func() {
		if fault := recover(); fault != nil {
			c.panics.Add(1)
			c.log.Error("panic; the connection is closed", "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			c.close()
		}
	}()
	f()
}

// spawn runs f in a goroutine that the connection waits for.
func (c *conn) spawn(f func()) {
	c.owned.Go(func() { c.guard(f) })
}

// serve does the handshake and then serves the channels of the connection.
func (c *conn) serve() {
	channels, requests, err := c.handshake()
	if err != nil {
		c.refuse(err)
		return
	}
	c.pass.login()
	c.loggedIn = time.Now()
	c.introduce()
	if err := c.config.Report(c.event(OpLogin, c.started, nil)); err != nil {
		c.abandon(channels, requests, err)
		return
	}
	c.backlog = backlog.New(c.ctx, c.pass.share, channels, requests, c.wire.SinceWrite)
	c.wire.Bound(c.backlog)
	c.spawn(func() { c.globalRequests(requests) })
	c.spawn(c.keepAlive)
	c.spawn(c.announceHostKeys)
	c.serveChannels(channels)
}

// idle tells whether the client is calm, and no program has a file open or is
// answering a CLOSE.
func (c *conn) idle() bool {
	if c.wire.SinceRead() < calm {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.programs {
		if p.files.OpenHandles() > 0 || p.files.Answering() {
			return false
		}
	}
	return true
}
