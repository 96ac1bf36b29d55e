package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/vfs"
)

// place is a library that was named.
type place struct {
	name     string // in the settings
	where    string // the path of its folder, or the URL of its bucket
	bucket   bool
	endpoint string
}

// places are the two, and the settings that have both.
type places struct {
	from, to place
	settings config.Settings
}

// maxSpool is how much of the disk uploads to buckets take if nothing is set: what was
// sent makes room for the rest of a large file.
const maxSpool = 4 << 30

// placesOf finds out what was named.
func placesOf(s config.Settings, from, to, account string) (p places, err error) {
	all := s.AllLibraries()
	p.settings = s
	p.settings.Library, p.settings.Libraries = "", all
	if s.SpoolMax.Bytes == 0 {
		p.settings.SpoolMax.Bytes = maxSpool
	}
	if p.from, err = p.find(from, "the folder that has the files", account); err != nil {
		return p, err
	}
	if p.to, err = p.find(to, "the folder that gets the files", account); err != nil {
		return p, err
	}
	if p.from.where == p.to.where && p.from.endpoint == p.to.endpoint {
		return p, fmt.Errorf("FROM and TO are the same library: %s", p.from.where)
	}
	if !p.from.bucket && !p.to.bucket && (library.Within(p.from.where, p.to.where) || library.Within(p.to.where, p.from.where)) {
		return p, fmt.Errorf("%s and %s lie within each other", p.from.where, p.to.where)
	}
	l := all[p.to.name]
	l.AccountQuota = &config.Size{} // nobody uploads these
	all[p.to.name] = l
	return p, nil
}

// find is the library of a name, or the folder of a path, which becomes a library of the
// settings under a name that none can have there.
func (p *places) find(named, name, account string) (place, error) {
	all := p.settings.Libraries
	l, ok := all[named]
	switch {
	case ok:
		name = named
	case strings.HasPrefix(named, "s3://"):
		for n, l := range all {
			if l.Bucket == named {
				return p.find(n, "", account)
			}
		}
		return place{}, fmt.Errorf("no library of the configuration lies in %s; add one, since it takes an endpoint and credentials", named)
	case strings.ContainsRune(named, filepath.Separator) || named == ".":
		path, err := filepath.Abs(named)
		if err != nil {
			return place{}, err
		}
		// What counts at the top of the file counts for it, too.
		added := p.settings
		added.Library, added.Libraries = path, nil
		for _, l = range added.AllLibraries() {
			all[name] = l
		}
	default:
		return place{}, fmt.Errorf("there is no library %q; there is: %s; a folder is named by its path, such as ./%s",
			named, strings.Join(slices.Sorted(maps.Keys(all)), ", "), named)
	}
	if own := library.PerAccount(l.Where()); own && account == "" {
		return place{}, fmt.Errorf("each account has a place of its own in library %s: name the account with --account", name)
	}
	return place{name, keys.ExpandUser(l.Where(), account), l.Bucket != "", l.Endpoint}, nil
}

// what is which two libraries these are.
func (p *places) what() string {
	return strings.Join([]string{p.from.where, p.from.endpoint, p.to.where, p.to.endpoint}, "\x00")
}

// owner is who the beginning of an upload belongs to that was cut: the name of no
// account. In a folder none outlasts a process that is killed.
func (p *places) owner() string {
	if !p.to.bucket {
		return ""
	}
	return ".migrate"
}

// open opens a library as a session does.
func open(ctx context.Context, set *library.Set, p place, account string) (vfs.Library, func(), error) {
	source, err := set.Source(p.name, account)
	if err != nil {
		return nil, nil, err
	}
	l, leave, err := source.Open(ctx)
	if errors.Is(err, library.ErrOwner) {
		return nil, nil, fmt.Errorf("%s: %w; run it as the user of the server", p.where, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s can't be opened: %w", p.where, err)
	}
	return l, leave, nil
}
