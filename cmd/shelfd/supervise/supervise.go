// Package supervise has one server follow another on the same listening socket, so
// that an upgrade of the program cuts nobody: the new one starts and is found healthy
// before the old one takes no more connections and ends after its transfers.
//
//	supervise.go  shelfd supervise: holds the socket, and starts servers
//	process.go    a server that is a process of the supervisor's
//	upgrade.go    shelfd upgrade: asks the supervisor, or else systemd
//	units.go      servers that are units of systemd
//	replace.go    what both do: start, look, end the old one, or take it back
//	ask.go        asking servers and the supervisor over their sockets
//
// The server itself is in its sandbox by then: it can start no program and open no
// socket. So the supervisor is a process of its own, which hears nothing of clients.
package supervise

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
)

// Commands are those of this package.
func Commands() []*cobra.Command { return []*cobra.Command{superviseCommand(), upgradeCommand()} }

func superviseCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "supervise",
		Short: "Serve, and let the server be upgraded without cutting anyone",
		Long: "Open the listening socket, and start \"shelfd serve\" with it and with these flags.\n" +
			"\"shelfd upgrade\" then starts another server, of the program that is installed by\n" +
			"then, on the same socket, and has the old one end after its transfers.\n\n" +
			"SIGTERM ends all servers, SIGHUP has the newest read its configuration again. A server\n" +
			"that ends by itself is started again. With systemd, use the units shelfd@ instead.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := config.Load(c.Flags())
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			v := &supervisor{
				program: program, settings: s, stdout: c.OutOrStdout(), ended: make(chan *process),
				log: logging.New(c.ErrOrStderr(), config.LogFormat{}, nil),
			}
			c.Flags().Visit(func(f *pflag.Flag) { v.flags = append(v.flags, "--"+f.Name+"="+f.Value.String()) })
			return v.run()
		},
	}
	config.AddFlags(c.Flags())
	return c
}

// supervisor holds the socket and has the servers.
type supervisor struct {
	program  string   // that serves: what lies at this path when a server starts
	flags    []string // of serve
	settings config.Settings
	stdout   io.Writer
	log      *slog.Logger
	socket   *os.File
	ended    chan *process

	upgrading sync.Mutex // held while a server is started and looked at

	mu      sync.Mutex // guards what follows
	serving *process   // the newest that serves; nil is none at the moment
	all     []*process // that have not ended
	over    bool       // they are to end, and none is started any more
}

// run serves until it gets SIGTERM or SIGINT, and then until all servers have ended.
func (v *supervisor) run() error {
	signals := make(chan os.Signal, 8) // of three kinds: none is lost while another is passed on
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := v.listen(); err != nil {
		return err
	}
	defer v.socket.Close()
	control, err := v.answer()
	if err != nil {
		return err
	}
	defer control.Close()
	if err := v.begin(); err != nil {
		return err
	}
	for {
		select {
		case s := <-signals:
			if v.signal(s) {
				return nil
			}
		case p := <-v.ended:
			if v.forget(p) {
				return nil
			}
		}
	}
}

// listen opens the socket that all servers share.
func (v *supervisor) listen() error {
	l, err := net.Listen("tcp", v.settings.Listen)
	if err != nil {
		return fmt.Errorf("%scannot listen: %w\n  Name an address of this machine and a free port with %s", v.settings.Where("listen"), err, v.settings.By("listen"))
	}
	defer l.Close()
	v.socket, err = l.(*net.TCPListener).File()
	return err
}

// controlSocket is where the supervisor of a state folder answers.
func controlSocket(s config.Settings) string { return filepath.Join(s.State, "supervisor.sock") }

// answer answers "shelfd upgrade", of this user and of root.
func (v *supervisor) answer() (*admin.Listener, error) {
	path := controlSocket(v.settings)
	if c, err := admin.Dial(context.Background(), path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another supervisor answers at %s; stop that one first, or name another --state", path)
	}
	if err := os.MkdirAll(v.settings.State, 0o700); err != nil {
		return nil, err
	}
	l, err := admin.Listen(path, v.log)
	if err != nil {
		return nil, fmt.Errorf("the socket for shelfd upgrade: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		// Who asks may go away; half an upgrade is none.
		done, err := v.upgrade(context.Background())
		reply(w, done, err)
	})
	return admin.Serve(l, mux, v.log), nil
}

// begin starts the first server. If it does not come to serve, nothing goes on.
func (v *supervisor) begin() error {
	v.upgrading.Lock()
	defer v.upgrading.Unlock()
	p, err := v.start(context.Background())
	if err != nil {
		return fmt.Errorf("the server %w; its log says why", err)
	}
	v.promote(p)
	return nil
}

// promote has a server be the one that serves, and returns the one before.
func (v *supervisor) promote(p *process) (old *process) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old, v.serving = v.serving, p
	if !slices.Contains(v.all, p) {
		v.lost(p) // it has ended meanwhile
	}
	return old
}

// upgrade has a new server follow the one that serves.
func (v *supervisor) upgrade(ctx context.Context) (done upgraded, err error) {
	v.upgrading.Lock()
	defer v.upgrading.Unlock()
	begun := time.Now()
	next, err := replace(ctx, v.settings.AdminSocket, func(ctx context.Context) (running, error) { return orNone(v.start(ctx)) })
	if err != nil {
		v.log.Error("not upgraded", "reason", err)
		return done, err
	}
	done = upgraded{PID: next.pid(), Took: time.Since(begun).Seconds()}
	if old := v.promote(next.(*process)); old != nil {
		old.end()
	}
	v.log.Info("upgraded", "pid", done.PID, "seconds", done.Took)
	return done, nil
}

// orNone keeps a nil process from being a server.
func orNone(p *process, err error) (running, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// signal passes a signal on: SIGHUP to the server that serves, the others to all. It
// tells whether all is over: there may be no server that would end.
func (v *supervisor) signal(s os.Signal) (over bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s == syscall.SIGHUP {
		if v.serving != nil {
			v.serving.cmd.Process.Signal(s)
		}
		return false
	}
	v.over = true
	for _, p := range v.all {
		p.end() // a second one ends it at once
	}
	return len(v.all) == 0
}

// restartAfter is how long a server that has ended by itself is not started again.
const restartAfter = time.Second

// forget is told that a server has ended. It tells whether all is over.
func (v *supervisor) forget(p *process) (over bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = slices.DeleteFunc(v.all, func(o *process) bool { return o == p })
	if v.serving == p {
		v.lost(p)
	}
	return v.over && len(v.all) == 0
}

// lost is called when the server that serves has ended; mu is held.
func (v *supervisor) lost(p *process) {
	v.serving = nil
	if !v.over {
		v.log.Error("the server has ended by itself; it is started again", "pid", p.pid(), "reason", p.exit)
		time.AfterFunc(restartAfter, v.restart)
	}
}

// restart starts a server where none serves, until one does.
func (v *supervisor) restart() {
	v.upgrading.Lock()
	defer v.upgrading.Unlock()
	v.mu.Lock()
	needed := v.serving == nil && !v.over
	v.mu.Unlock()
	if !needed {
		return
	}
	p, err := v.start(context.Background())
	if err != nil {
		v.log.Error("the server could not be started; it is tried again", "reason", err)
		time.AfterFunc(restartAfter, v.restart)
		return
	}
	v.promote(p)
}

// auditLog is the flag with the audit log of one more server: two that write one file
// would each go on behind their own last line. The first has it as it is set.
func (v *supervisor) auditLog(number int) []string {
	path := v.settings.AuditLog
	if path == "" || number == 1 {
		return nil
	}
	ext := filepath.Ext(path)
	return []string{fmt.Sprintf("--audit-log=%s-%d%s", strings.TrimSuffix(path, ext), number, ext)}
}
