package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/notify"
	"shelf/keys"
	"shelf/sshd/budget"
)

// A part is a piece of the server. All parts have the same life. The command
// check calls check. The command serve calls open, then reload at each SIGHUP, and
// close at its end.
type part interface {
	// check finds what is wrong with the settings and with the files that they
	// name. It changes nothing, and does not disturb a server that runs.
	check(s config.Settings) error

	// open takes what the part needs. On an error it holds nothing.
	open(s config.Settings) error

	// reload prepares to go on with other settings. The error says why that is
	// not possible. The part changes only when commit is called, and that happens
	// when all parts are prepared. If commit is nil, the part does not change.
	reload(was, next config.Settings) (commit func() error, err error)

	// close gives back what open took.
	close()
}

// server is all parts of a server, and the settings that they were made of.
type server struct {
	settings config.Settings
	log      *slog.Logger

	accounts    accounts
	libraries   libraries
	hostKeys    hostKeys
	audit       auditing
	listener    listener
	gates       gating
	connections connections
	holding     holding
	admin       *administration

	reloading  sync.Mutex // held while the settings are read again
	lastReload atomic.Pointer[admin.Reload]
	drained
	manager *notify.Manager

	parts  []part // all, in the order in which they are opened
	opened []part // those that are open
}

// newServer puts a server together and opens nothing yet. notes gets
// warnings about things that may be intended.
func newServer(s config.Settings, log *slog.Logger, notes io.Writer) *server {
	all := &server{settings: s, log: log, drained: drained{c: make(chan struct{})}}
	all.admin = newAdministration(s, log, &operated{server: all, started: time.Now()})
	all.accounts = accounts{log: log, hashing: budget.NewTurns(keys.MaxHashing)}
	all.libraries = libraries{log: log, timed: all.admin.timed}
	all.audit.log, all.audit.keys = log, &all.hostKeys
	all.listener.notes = notes
	all.holding.server = all
	all.gates = gating{log: log, observe: all.admin.metrics.Judged, ends: all.holding.publisher()}
	all.connections = connections{server: all, descriptors: descriptors()}
	// A new part is a new line here.
	all.parts = []part{
		apart{},
		&all.accounts,
		&all.libraries,
		&all.hostKeys,
		&all.audit,
		&all.listener, // late: from here on clients can connect
		&all.gates,    // after it: a child process must not get sockets of systemd
		&all.connections,
		&all.holding,
		all.admin,
		&supervision{server: all}, // connects to the service manager
		&sandbox{log},             // after all that opens files
		&runtimeTuning{connections: all.connections.count},
	}
	return all
}

// check returns what is wrong with any part.
func (s *server) check() (err error) {
	for _, p := range s.parts {
		err = errors.Join(err, p.check(s.settings))
	}
	return err
}

// open opens all parts or, on an error, none.
func (s *server) open() error {
	for _, p := range s.parts {
		if err := p.open(s.settings); err != nil {
			s.close()
			return err
		}
		s.opened = append(s.opened, p)
	}
	return nil
}

// close closes the parts that are open, the last one first.
func (s *server) close() {
	for _, p := range slices.Backward(s.opened) {
		p.close()
	}
	s.opened = nil
}

// reload reads the settings again and goes on with them. If any part refuses
// them, all parts stay as they are.
func (s *server) reload() error {
	next, err := s.settings.Again()
	if err != nil {
		return err
	}
	var commits []func() error
	for _, p := range s.parts {
		commit, refused := p.reload(s.settings, next)
		err = errors.Join(err, refused)
		if commit != nil {
			commits = append(commits, commit)
		}
	}
	if err != nil {
		return err
	}
	s.settings = next
	for _, commit := range commits {
		err = errors.Join(err, commit())
	}
	return err
}

// problem is why the server does not start: what could not be done, why, and
// what to do about it.
type problem struct {
	where  string // in the configuration file, from Settings.Where; or ""
	what   string
	err    error
	remedy string
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s%s: %v\n  %s", p.where, p.what, p.err, p.remedy)
}

func (p *problem) Unwrap() error { return p.err }

// oneLine is the text of an error for the log, which has a line for each entry.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

// needsRestart refuses a change while the server runs.
func needsRestart(next config.Settings, setting, change string) error {
	return fmt.Errorf("%s%s; that takes a restart of the server", next.Where(setting), change)
}
