package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/gates"
	"shelf/cmd/shelfd/held"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
)

// gating is the part that holds the gates of libraries.
type gating struct {
	log     *slog.Logger
	observe func(library, word string, took time.Duration)
	ends    *held.Publisher
	set     *gates.Set
}

// check leaves scanners alone: a server starts without them, too.
func (g *gating) check(config.Settings) error { return nil }

func (g *gating) open(s config.Settings) (err error) {
	g.set, err = gates.Open(s, g.log, g.observe, g.ends)
	return err
}

func (g *gating) reload(_, next config.Settings) (func() error, error) {
	if library, err := g.set.Unknown(next); err != nil {
		return nil, needsRestart(next, "libraries."+library+".gate", err.Error())
	}
	return func() error { g.set.Change(next); return nil }, nil
}

func (g *gating) close() { g.set.Close() }

// holding is the part that has judged and published what gates hold.
type holding struct {
	server *server
	now    atomic.Pointer[served]
	stop   func()
}

// served is who is there and what they are served, by the settings in effect.
type served struct {
	accounts *keys.Accounts
	services *services
}

func (h *holding) check(config.Settings) error { return nil }

func (h *holding) open(s config.Settings) error {
	h.look(s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	q := h.server.gates.set.Queue()
	if q != nil {
		q.Adopt() // before the first client asks for what it has uploaded
	}
	go func() {
		defer close(ended)
		if q != nil {
			q.Run(ctx)
		}
	}()
	h.stop = func() { cancel(); <-ended }
	return nil
}

// reload is listed after the parts that it looks at, so that they have committed first.
func (h *holding) reload(_, next config.Settings) (func() error, error) {
	return func() error { h.look(next); return nil }, nil
}

func (h *holding) close() { h.stop() }

func (h *holding) look(s config.Settings) {
	p := h.server
	h.now.Store(&served{p.accounts.current, newServices(s, p.libraries.set, p.gates.set, &p.connections.rates)})
}

// publisher publishes in the name of accounts.
func (h *holding) publisher() *held.Publisher {
	p := h.server
	return &held.Publisher{
		Shares: h.shares, Report: p.report, Log: p.log,
		Ready: func() error { return p.audit.file.Ready() },
		Sums:  func() *access.Sums { return p.audit.sums },
	}
}

// shares are what an account is served now.
func (h *holding) shares(account string) (map[string]access.Share, error) {
	now := h.now.Load()
	if lost := now.accounts.Stands(account); lost != nil {
		kind := fs.ErrPermission
		if _, ok := now.services.accounts[account]; ok && lost.Loss == keys.Removed {
			kind = vfs.ErrUnavailable // it has a mistake, which its operator will correct
		}
		return nil, &vfs.Error{Kind: kind, Why: lost.Err.Error()}
	}
	service, err := now.services.service(keys.Identity{Account: account})
	return service.Shares, err
}

// services says what each account is served.
type services struct {
	settings  config.Settings
	accounts  map[string]config.Account
	libraries map[string]config.Library
	set       *library.Set
	gates     *gates.Set
	rates     *rates
}

func newServices(s config.Settings, set *library.Set, g *gates.Set, r *rates) *services {
	return &services{s, s.AllAccounts(), s.AllLibraries(), set, g, r}
}

// service is what an account is served that has logged in.
func (s *services) service(id keys.Identity) (sshd.Service, error) {
	a, serves := config.Account{}, s.settings.ServesFiles()
	if table, ok := s.accounts[id.Account]; ok {
		a, serves = table, s.settings.Serves(table)
	}
	shares := make(map[string]access.Share, len(serves.Libraries))
	for folder, one := range serves.Libraries {
		l, ok := s.libraries[one.Library]
		if !ok {
			return sshd.Service{}, errors.New("this account has no library")
		}
		source, err := s.set.Source(one.Library, id.Account)
		if err != nil {
			return sshd.Service{}, err
		}
		shares[folder] = access.Share{
			Source: source, Label: one.Library, Own: library.PerAccount(l.Where()), Permissions: permissions(one.Permissions),
			MaxFileSize: maxFileSize(a, l), Hold: vfs.Hold(*l.Hold),
			Names: namesOf(a, l),
			Gate:  s.gate(one.Library),
		}
	}
	return sshd.Service{
		Options:        access.Options{Shares: shares, Start: serves.Start},
		MaxOpenFiles:   s.settings.MaxOpenFiles.N,
		MaxSessions:    int(a.MaxSessions),
		MaxSessionTime: config.First(a.MaxSessionTime, &s.settings.MaxSessionTime).Duration,
		Upload:         s.rates.of("up "+id.Account, a.MaxUploadRate),
		Download:       s.rates.of("down "+id.Account, a.MaxDownloadRate),
	}, nil
}

// gate is that of a library; a nil *gates.Gate is not a nil access.Gate.
func (s *services) gate(library string) access.Gate {
	if g := s.gates.Of(library); g != nil {
		return g
	}
	return nil
}

// maxFileSize is the largest file that an account may make in a library, in bytes; 0
// is no limit. What the gate would refuse for its size need not be sent first, nor what
// it has no room to hold.
func maxFileSize(a config.Account, l config.Library) int64 {
	most := config.First(a.MaxFileSize, l.MaxFileSize).Bytes
	atMost := func(n int64) {
		if most == 0 || n < most {
			most = n
		}
	}
	if g := l.Gate; g.IsSet() && g.AboveMax.Word == config.GateRefuse && g.MaxSize.Bytes > 0 {
		atMost(g.MaxSize.Bytes)
	}
	if l.Gate.Holds() {
		atMost(gates.LargestHeld(l.Gate))
	}
	return most
}

// namesOf are the rules for names of an account in a library.
func namesOf(a config.Account, l config.Library) []access.Names {
	return []access.Names{{Allowed: l.AllowedNames, Refused: l.RefusedNames}, {Allowed: a.AllowedNames, Refused: a.RefusedNames}}
}

// permissions add up what some words stand for; nil is the default.
func permissions(words []config.Permission) vfs.Permissions {
	if words == nil {
		return vfs.DefaultPermissions()
	}
	var all vfs.Permissions
	for _, p := range words {
		one := meaning(p.Word)
		all.List = all.List || one.List
		all.Read = all.Read || one.Read
		all.Write = all.Write || one.Write
		all.Overwrite = all.Overwrite || one.Overwrite
		all.Rename = all.Rename || one.Rename
		all.Delete = all.Delete || one.Delete
		all.Restore = all.Restore || one.Restore
	}
	return all
}

// meaning is what a word of [config.PermissionWords] stands for.
func meaning(word string) vfs.Permissions {
	return map[string]vfs.Permissions{
		"reader":    {List: true, Read: true},
		"dropbox":   {Write: true},
		"editor":    vfs.DefaultPermissions(),
		"admin":     {List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true, Restore: true},
		"list":      {List: true},
		"read":      {Read: true},
		"write":     {Write: true},
		"overwrite": {Overwrite: true},
		"rename":    {Rename: true},
		"delete":    {Delete: true},
		"restore":   {Restore: true},
	}[word]
}

// rates are the limits that connections of an account share, over reloads too.
type rates struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter // mu
}

// of passes so many bytes a second, and a quarter of that at once; nil is no
// limit.
func (r *rates) of(what string, perSecond config.Size) *rate.Limiter {
	if perSecond.Bytes == 0 {
		return nil
	}
	limit, burst := rate.Limit(perSecond.Bytes), int(max(perSecond.Bytes/4, 32<<10))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[string]*rate.Limiter)
	}
	l := r.all[what]
	if l == nil {
		l = rate.NewLimiter(limit, burst)
		r.all[what] = l
	}
	if l.Limit() != limit {
		l.SetLimit(limit)
		l.SetBurst(burst)
	}
	return l
}
