// Package library opens what is served, and closes it: libraries in folders of
// their own, and those of which each account has its own.
//
//	library.go  Set: all that a server serves or may serve
//	source.go   where a session gets one from
//	holder.go   one that is open, or could not be opened
//	path.go     %u in a path, and the folders that are made for it
//	apart.go    which paths lie within others
//	store.go    how a library keeps its files
//	bucket.go   how one in a bucket does
//	expire.go   removes what has expired
//	usage.go    what each account has in a library
package library

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/local/digests"
)

// idleFor is how long a library of one account stays open that nobody uses.
const idleFor = time.Minute

// Set is the libraries of a server. It is safe for concurrent use.
type Set struct {
	log     *slog.Logger
	digests *digests.Cache
	umask   fs.FileMode
	timed   func(local.Step, time.Duration)
	buckets buckets

	mu       sync.Mutex
	settings config.Settings    // mu
	holders  map[string]*holder // of libraries that are open, in use or wanted, by path; mu
	closed   bool               // mu
}

// New makes a Set that has nothing open. timed is told how long publishing takes,
// and may be nil.
func New(s config.Settings, log *slog.Logger, timed func(local.Step, time.Duration)) *Set {
	return &Set{
		log: log, digests: digests.New(filepath.Join(s.State, "digests"), log), umask: umask(), timed: timed,
		settings: s, holders: make(map[string]*holder),
	}
}

// umask is the umask of the process, which can be read only by setting it. For
// that moment it keeps others out.
func umask() fs.FileMode {
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return fs.FileMode(mask) & fs.ModePerm
}

// PerAccount tells whether each account has a library of its own by that path.
func PerAccount(path string) bool { return keys.ExpandUser(path, "a") != keys.ExpandUser(path, "b") }

// Open opens the libraries that are for all accounts, looks whether those of
// accounts could be made, and returns what is wrong, by name. What can't be opened
// now is tried again by Tend, and when it is needed.
func (s *Set) Open() map[string]error {
	s.mu.Lock()
	settings := s.settings
	s.mu.Unlock()
	faults := make(map[string]error)
	if settings.HasBuckets() {
		s.openSpool(settings) // who opens a library says what is wrong
	}
	for name, l := range settings.AllLibraries() {
		err := CheckFolder(l)
		if !PerAccount(l.Where()) {
			err = s.want(Source{s, name, keys.ExpandUser(l.Where(), "")})
		}
		if err != nil {
			faults[name] = err
		}
	}
	return faults
}

// want opens a library for as long as it is configured.
func (s *Set) want(from Source) error {
	h := s.holder(from)
	s.mu.Lock()
	h.wanted = true
	s.mu.Unlock()
	_, err := h.use()
	s.leave(h)
	return err
}

// Change goes on with other settings. Libraries that are open get them at once;
// those that are gone are closed when nobody uses them. One that has another name
// now stays open. It returns what is wrong, as Open does.
func (s *Set) Change(next config.Settings) map[string]error {
	s.mu.Lock()
	s.settings = next
	all := next.AllLibraries()
	for path, h := range s.holders {
		name, ok := nameOf(path, h.from.name, all)
		h.gone = !ok
		h.wanted = ok && !PerAccount(all[name].Where())
		if ok {
			h.from.name = name
			h.change(all[name])
		}
	}
	s.mu.Unlock()
	faults := s.Open()
	s.Tend(time.Now())
	return faults
}

// nameOf is what the library that lies at a path is called: as it was, if it can be.
func nameOf(path, was string, all map[string]config.Library) (name string, ok bool) {
	for _, name := range slices.Concat([]string{was}, slices.Sorted(maps.Keys(all))) {
		if l, ok := all[name]; ok && matches(l.Where(), path) {
			return name, true
		}
	}
	return "", false
}

// Tend closes the libraries that nobody uses, and opens those anew whose disk has
// come back. It is to be called every few seconds.
func (s *Set) Tend(now time.Time) {
	for _, h := range s.all() {
		if h.wantsOpening() {
			if _, err := h.use(); err == nil {
				s.log.Info("a library is served again", "library", h.source().name)
			}
		}
		s.mu.Lock()
		if h.users == 0 && !h.wanted && (h.gone || now.Sub(h.idle) >= idleFor) {
			delete(s.holders, h.path)
			h.close()
		}
		s.mu.Unlock()
	}
}

func (s *Set) all() []*holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.holders))
}

// Status is a library as it is now.
type Status struct {
	Name    string
	Path    string      // on the host
	Library vfs.Library // nil if it is not open
	Err     error       // why it could not be opened
}

// Status lists the libraries that are for all accounts, and those of accounts that
// are open, by their paths.
func (s *Set) Status() (all []Status) {
	for _, h := range s.all() {
		library, err := h.now()
		all = append(all, Status{h.source().name, h.path, library, err})
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// Now is a library that is for all accounts: nil, with the reason, if it is not
// open. Of those that each account has for itself the error is that they could not
// be made.
func (s *Set) Now(name string) (vfs.Library, error) {
	s.mu.Lock()
	l, ok := s.settings.AllLibraries()[name]
	h := s.holders[keys.ExpandUser(l.Where(), "")]
	s.mu.Unlock()
	switch {
	case !ok:
		return nil, errGone
	case PerAccount(l.Where()):
		return nil, CheckFolder(l)
	case h == nil:
		return nil, errClosed
	}
	return h.now()
}

// Close closes all libraries.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for path, h := range s.holders {
		h.close()
		delete(s.holders, path)
	}
}

var (
	errClosed = errors.New("the server is stopping")
	errGone   = errors.New("the library is gone from the settings")
)
