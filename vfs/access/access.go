// Package access is what an account may do with its library, for every protocol
// alike: a [Session] holds the policy, remembers what it uploads, reports what
// was done, and knows no protocol.
//
//	access.go     Session; where a path leads
//	policy.go     the policy: one table
//	operation.go  an operation becomes an Event, and an error what a client reads
//	stat.go       Stat, Exists, Space
//	list.go       List, Match
//	open.go       Open and Digest; a file that is read
//	create.go     Create: an upload begins
//	change.go     Rename, Remove, SetAttr
//	upload.go     an upload under way, and how it ends
//	states.go     its states: one table
//	pending.go    a name while this session uploads under it
//	transfers.go  what is read and written now, for who watches
//	sums.go       the SHA-256 of what is published
//	own.go        which files this session has published
//	temporary.go  the temporary names of clients: one table
//	held.go       an upload that CLOSE holds back until RENAME
//	takeover.go   one that another session of the account holds
//	replace.go    REMOVE of a file that RENAME is about to replace
//	stop.go       the session is to end
//
// Errors of its methods are for the person at the client: an [*vfs.Error] that
// names nothing of the host, or [io.EOF]. The cause is in the log.
package access

import (
	"context"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"shelf/vfs"
)

// Options is what a [Session] is made from.
type Options struct {
	Library     vfs.Library
	Account     string // who it is: the owner of partials
	Permissions vfs.Permissions
	MaxFileSize int64        // bytes; 0 is no cap
	Temporaries *Temporaries // those of the server; nil refuses hidden names and holds nothing

	LibraryName string // in events
	Sums        *Sums  // for events; nil is that they have none

	Transfers *Transfers    // knows what is read and written; nil is that nobody asks
	Panics    *atomic.Int64 // counts panics; nil is that nobody asks

	// Report is called as each event ends, one at a time; nil is nobody. An error
	// is that the event has to be recorded and is not: what was done is then not
	// acknowledged.
	Report func(vfs.Event) error

	// Ready is nil, or returns nil, if events can be recorded. With an error nothing
	// is changed.
	Ready func() error

	Log *slog.Logger // faults of the server; nil discards
}

// Session is an account at work, over one channel of a connection: what it
// uploads there is its own. It belongs to one goroutine, and is to be ended with
// End.
//
// Paths are those of SFTP: relative to "/", which is the library, with "." and
// ".." meaning what they do elsewhere. None leads out.
type Session struct {
	ctx       context.Context // what the library is called with
	account   string
	library   share
	report    func(vfs.Event) error
	ready     func() error
	log       *slog.Logger
	transfers *Transfers
	panics    *atomic.Int64
	sums      *Sums
	open      atomic.Int32 // files, uploads and listings, for other goroutines
	answers   atomic.Int32 // see Answer
	stop      atomic.Pointer[stopped]
	pending   map[place][]*Writer   // this session's uploads, by name; the newest of each is the last
	published map[place]vfs.Version // what this session published
	held      []*Writer             // uploads that wait for a RENAME after CLOSE
	replacing map[place]vfs.Version // files that Rename is to replace: see announcesReplace
	removing  place                 // one of these that is removed if no Rename follows

	mu          sync.Mutex // see [Temporaries]
	temporaries *Temporaries
}

// New makes a Session; ctx is what the Library is called with.
func New(ctx context.Context, o Options) *Session {
	s := &Session{
		ctx: ctx, account: o.Account, report: o.Report, ready: o.Ready, log: o.Log, temporaries: o.Temporaries, transfers: o.Transfers, panics: o.Panics, sums: o.Sums,
		library: share{Library: o.Library, name: o.LibraryName, held: permissionsOf(o.Permissions), maxFileSize: o.MaxFileSize},
		pending: make(map[place][]*Writer), published: make(map[place]vfs.Version), replacing: make(map[place]vfs.Version),
	}
	if s.report == nil {
		s.report = func(vfs.Event) error { return nil }
	}
	if s.ready == nil {
		s.ready = func() error { return nil }
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Account is whose session it is.
func (s *Session) Account() string { return s.account }

// OpenHandles is how many files, uploads and listings are open now. It may be
// called from any goroutine: a server that is to stop waits for zero.
func (s *Session) OpenHandles() int { return int(s.open.Load()) }

// Properties tells what the library promises beyond the contract.
func (s *Session) Properties() vfs.Properties { return s.library.Properties() }

// share is a library, and what the account may do in it.
type share struct {
	vfs.Library
	name        string // in events
	held        permissions
	maxFileSize int64 // bytes; 0 is no cap
}

// place is where a path leads: a name in a library. The library itself has the
// name "".
type place struct {
	in   *share
	name string
}

// resolve finds the library and the name that a path stands for. A path into a
// folder stands for nothing: the error is fs.ErrNotExist.
func (s *Session) resolve(p string) (place, error) {
	at := place{&s.library, strings.TrimPrefix(clean(p), "/")}
	if err := s.Stopped(); err != nil {
		return at, err
	}
	if strings.Contains(at.name, "/") {
		return at, vfs.NotExist()
	}
	return at, nil
}

// file is resolve for what must be a file.
func (s *Session) file(p string) (place, error) {
	at, err := s.resolve(p)
	if err == nil && at.name == "" {
		err = denied("that is the library itself")
	}
	return at, err
}

// clean is a path made absolute, without "." and "..".
func clean(p string) string {
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return path.Clean(p)
}

// IsRoot tells whether a path is that of the library itself.
func IsRoot(p string) bool { return clean(p) == "/" }

// exists is the answer for a name that is taken.
func exists() error { return &vfs.Error{Kind: fs.ErrExist, Why: "a file of that name exists"} }

// denied is the refusal of an account that lacks a permission.
func denied(why string) error { return &vfs.Error{Kind: fs.ErrPermission, Why: why} }
