package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/metrics"
	"shelf/cmd/shelfd/page"
	"shelf/sshd"
	"shelf/vfs/local"
)

// administration is the part that operators look into the server by, and steer it:
// the admin socket, metrics, health and the page. It counts from the beginning,
// and answers once it is open.
type administration struct {
	log     *slog.Logger
	server  *admin.Cached
	metrics *metrics.Metrics
	page    *page.Page
	view    atomic.Pointer[view] // what operators are told of

	look    func(config.Settings) *view // makes it
	doors   []door                      // that are open
	answers []*admin.Listener
	socket  *admin.Socket   // one of doors, once it is answered; nil is none
	web     *admin.Listener // one of answers; nil is none
	stop    func()          // ends the goroutine of the page
	uploads uploads
}

// door is where operators can ask, and what answers them.
type door struct {
	net.Listener
	handler http.Handler
}

// newAdministration counts for a server that is not open yet.
func newAdministration(s config.Settings, log *slog.Logger, of *operated) *administration {
	a := &administration{log: log, server: admin.Cache(of), look: of.look}
	a.metrics = metrics.New(metrics.Options{
		Version: version(), Accounts: int(s.MetricsAccounts), Status: a.server.Status,
		Ready: func() admin.Readiness { return a.server.Readiness(context.Background()) },
	})
	a.page = page.New(a.server)
	return a
}

// timed is told how long publishing takes.
func (a *administration) timed(step local.Step, took time.Duration) {
	switch step {
	case local.Syncing:
		a.metrics.Synced(took)
	case local.Publishing:
		a.metrics.Published(took)
	}
}

// observe is told of each event, before it is recorded.
func (a *administration) observe(e sshd.Event) {
	a.metrics.Event(e)
	a.page.Event(e)
	a.uploads.event(e)
}

func (a *administration) check(s config.Settings) error {
	var err error
	if s.AdminSocket != "" {
		if _, bad := os.Stat(filepath.Dir(s.AdminSocket)); bad != nil && filepath.Dir(s.AdminSocket) != s.State {
			err = unanswered(s, "admin_socket", bad)
		}
	}
	if s.AdminListen != "" {
		l, bad := net.Listen("tcp", adminAddress(s))
		if bad == nil {
			l.Close()
		} else if !errors.Is(bad, syscall.EADDRINUSE) {
			err = errors.Join(err, unanswered(s, "admin_listen", bad))
		}
	}
	return err
}

func (a *administration) open(s config.Settings) (err error) {
	a.view.Store(a.look(s))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	if s.AdminListen != "" {
		running.Go(func() { a.page.Run(ctx) })
	}
	a.stop = func() { stop(); running.Wait() }
	follows := false
	if s.AdminSocket != "" {
		socket, err := admin.Listen(s.AdminSocket, a.log)
		if err != nil {
			a.close()
			return unanswered(s, "admin_socket", err)
		}
		follows = socket.Follows
		a.doors = append(a.doors, door{socket, admin.API(a.server, a.metrics.Handler())})
	}
	if s.AdminListen != "" {
		l, err := admin.ListenWeb(adminAddress(s), follows)
		if err != nil {
			a.close()
			return unanswered(s, "admin_listen", err)
		}
		a.log.Info("operators can look at metrics, health and a page", "url", "http://"+l.Addr().String()+"/")
		web := admin.Web(a.server, adminHosts(s), a.metrics.Handler(), a.page.Handler())
		a.doors = append(a.doors, door{l, web})
	}
	return nil
}

// answer begins to answer, when all parts are open.
func (a *administration) answer() {
	for _, d := range a.doors {
		l := admin.Serve(d, d.handler, a.log)
		a.answers = append(a.answers, l)
		if socket, ok := d.Listener.(*admin.Socket); ok {
			a.socket = socket
		} else {
			a.web = l
		}
	}
	a.doors = nil
}

// giveWay leaves the web address to the server that has taken over, if there is one:
// both have it, and probes and Prometheus shall reach the one that stays.
func (a *administration) giveWay() {
	if a.web != nil && a.socket != nil && a.socket.IsTaken() {
		a.web.Close()
	}
}

// adminAddress is where admin_listen says: on this machine alone, if it has no host.
func adminAddress(s config.Settings) string {
	host, port, err := net.SplitHostPort(s.AdminListen)
	if err != nil {
		return s.AdminListen // which net.Listen explains
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}

// adminHosts are the names by which the web address may be asked.
func adminHosts(s config.Settings) []string {
	host, _, _ := net.SplitHostPort(s.AdminListen)
	return append([]string{host}, s.AdminHosts...)
}

func unanswered(s config.Settings, setting string, err error) error {
	by := s.By(setting)
	remedy := "Name an address of this machine and a port with " + by + ", as 127.0.0.1:9222."
	switch {
	case setting == "admin_socket" && errors.Is(err, fs.ErrNotExist):
		remedy = "Make the folder, or name a file in another one with " + by + "."
	case setting == "admin_socket":
		remedy = "Name a file in a folder that this user can write with " + by + "."
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "Another program has that port. Stop it, or name another port with " + by + "."
	}
	return &problem{s.Where(setting), "Operators could not ask the server", err, remedy}
}

func (a *administration) reload(was, next config.Settings) (func() error, error) {
	var err error
	for _, change := range []struct {
		setting  string
		was, now any
	}{
		{"admin_socket", was.AdminSocket, next.AdminSocket},
		{"admin_listen", was.AdminListen, next.AdminListen},
		{"admin_hosts", was.AdminHosts, next.AdminHosts},
		{"metrics_accounts", was.MetricsAccounts, next.MetricsAccounts},
	} {
		if change.setting == "admin_socket" && was.State != next.State {
			continue // it may follow from that
		}
		if !reflect.DeepEqual(change.was, change.now) {
			err = errors.Join(err, needsRestart(next, change.setting, fmt.Sprintf("%s is now %v", change.setting, change.now)))
		}
	}
	return func() error { a.view.Store(a.look(next)); return nil }, err
}

func (a *administration) close() {
	for _, d := range a.doors {
		d.Close()
	}
	a.doors = nil
	for _, l := range a.answers {
		l.Close()
	}
	a.answers = nil
	a.stop()
}
