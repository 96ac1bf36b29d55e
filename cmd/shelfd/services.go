package main

import (
	"cmp"
	"errors"

	"golang.org/x/time/rate"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
)

// services says what each account is served. All are made here, once, since the
// connections of an account share its rates.
func services(s config.Settings, open map[string]library) func(keys.Identity) (sshd.Service, error) {
	all := make(map[string]sshd.Service)
	for name, a := range s.AllAccounts() {
		all[name] = service(s, a, open)
	}
	dropped := service(s, config.Account{Library: s.FileAccounts.Library, Permissions: s.FileAccounts.Permissions}, open)
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

func service(s config.Settings, a config.Account, open map[string]library) sshd.Service {
	name := cmp.Or(a.Library, s.UsualLibrary())
	library, ok := open[name]
	if !ok {
		return sshd.Service{}
	}
	return sshd.Service{
		Options: access.Options{
			Library:     library,
			LibraryName: name,
			Permissions: permissions(a.Permissions),
			MaxFileSize: config.First(a.MaxFileSize, s.AllLibraries()[name].MaxFileSize).Bytes,
		},
		MaxOpenFiles: s.MaxOpenFiles.N,
		MaxSessions:  int(a.MaxSessions),
		Upload:       limiter(a.MaxUploadRate),
		Download:     limiter(a.MaxDownloadRate),
	}
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

// limiter passes so many bytes a second, and a quarter of that at once; nil is
// no limit.
func limiter(perSecond config.Size) *rate.Limiter {
	if perSecond.Bytes == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond.Bytes), int(max(perSecond.Bytes/4, 32<<10)))
}
