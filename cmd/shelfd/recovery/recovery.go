// Package recovery finds, after a crash, what was published and has no line in the
// audit log: the server was ended between the two. Each gets a line. That costs a
// look at the files of the libraries, while they are served, and nothing otherwise.
package recovery

import (
	"context"
	"errors"
	"log/slog"

	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/vfs"
)

// Run looks at the libraries until ctx ends. A gap that is nil is none. It tells
// whether no more is to be found: each library was looked at that can be.
func Run(ctx context.Context, gap *audit.Gap, to *audit.Log, s config.Settings, set *library.Set, log *slog.Logger) (whole bool) {
	if gap == nil {
		return true
	}
	whole = true
	for name, l := range s.AllLibraries() {
		accounts := []string{""}
		if library.PerAccount(l.Where()) {
			accounts = gap.Accounts(name)
		}
		for _, account := range accounts {
			found, err := look(ctx, gap, to, set, name, account)
			switch {
			case ctx.Err() != nil:
				return false
			case err != nil:
				whole = whole && errors.Is(err, vfs.ErrUnsupported) // the next server could not tell either
				log.Warn("after a crash: what was published without a line in the audit log cannot be told", "library", name, "account", account, "reason", err)
			default:
				log.Info("after a crash: the audit log has a line of each file again", "library", name, "account", account, "missing", found)
			}
		}
	}
	return whole
}

// look looks at one library, and tells how many lines were missing.
func look(ctx context.Context, gap *audit.Gap, to *audit.Log, set *library.Set, name, account string) (found int, err error) {
	source, err := set.Source(name, account)
	if err != nil {
		return 0, err
	}
	if !source.Exists() { // an account that has logged in may have used others only
		return 0, nil
	}
	l, release, err := source.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	recent, ok := vfs.As[vfs.Recent](l)
	if !ok {
		return 0, errUnknown
	}
	for p, err := range recent.Recent(ctx, gap.Since) {
		if err != nil {
			return found, err
		}
		if gap.Lacks(name, account, p.Name, p.Version.String(), p.At) {
			to.Recovered(name, p.Owner, p.Info)
			found++
		}
	}
	return found, nil
}

var errUnknown = &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this library does not know when its files were published, or by which server"}
