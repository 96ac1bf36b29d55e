package main

import (
	"cmp"
	"errors"

	"golang.org/x/time/rate"

	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs/access"
)

// services say what each account is served. Made once, since those of an
// account share what limits its rates.
func (s settings) services(open libraries) func(keys.Identity) (sshd.Service, error) {
	all := make(map[string]sshd.Service)
	for name, a := range s.accounts() {
		all[name] = s.service(a, open)
	}
	dropped := s.service(accountSettings{}, open)
	return func(id keys.Identity) (sshd.Service, error) {
		service, ok := all[id.Account]
		if !ok {
			service = dropped
		}
		if service.Library == nil {
			return service, errors.New("this account has no library")
		}
		return service, nil
	}
}

func (s settings) service(a accountSettings, open libraries) sshd.Service {
	name := cmp.Or(a.Library, s.usualLibrary())
	dir, ok := open[name]
	if !ok {
		return sshd.Service{}
	}
	return sshd.Service{
		Options: access.Options{
			Library:     dir,
			Permissions: a.permissions(),
			MaxFileSize: first(a.MaxFileSize, s.libraries()[name].MaxFileSize).bytes,
		},
		MaxOpenFiles: s.MaxOpenFiles.n,
		MaxSessions:  int(a.MaxSessions),
		Upload:       limiter(a.MaxUploadRate),
		Download:     limiter(a.MaxDownloadRate),
	}
}

// limiter passes so many bytes a second, and a quarter of a second's at once;
// nil is no limit.
func limiter(perSecond size) *rate.Limiter {
	if perSecond.bytes == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond.bytes), int(max(perSecond.bytes/4, 32<<10)))
}
