package main

import (
	"errors"
	"sync"

	"golang.org/x/time/rate"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
)

// services says what each account is served.
type services struct {
	settings  config.Settings
	accounts  map[string]config.Account
	libraries map[string]config.Library
	set       *library.Set
	rates     *rates
}

func newServices(s config.Settings, set *library.Set, r *rates) *services {
	return &services{s, s.AllAccounts(), s.AllLibraries(), set, r}
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
			Source: source, Label: one.Library, Permissions: permissions(one.Permissions),
			MaxFileSize: config.First(a.MaxFileSize, l.MaxFileSize).Bytes, Hold: vfs.Hold(*l.Hold),
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
	}
	return all
}

// meaning is what a word of [config.PermissionWords] stands for.
func meaning(word string) vfs.Permissions {
	return map[string]vfs.Permissions{
		"reader":    {List: true, Read: true},
		"dropbox":   {Write: true},
		"editor":    vfs.DefaultPermissions(),
		"admin":     {List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true},
		"list":      {List: true},
		"read":      {Read: true},
		"write":     {Write: true},
		"overwrite": {Overwrite: true},
		"rename":    {Rename: true},
		"delete":    {Delete: true},
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
