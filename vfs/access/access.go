// Package access is what an account may do with its library, for every protocol
// alike: a [Session] holds the policy, remembers what it uploads, reports what
// was done, and knows no protocol.
//
//	access.go     Session; where a path leads
//	share.go      its libraries
//	policy.go     the policy: one table; explain.go: for who asks
//	operation.go  an operation becomes an Event, and an error what a client reads
//	stat.go       Stat, Exists, Space
//	list.go       List, Match
//	open.go       Open and Digest; a file that is read
//	create.go     Create: an upload begins
//	names.go      which names files may get
//	gate.go       who judges what is published
//	change.go     Rename, Remove, SetAttr
//	upload.go     an upload under way, and how it ends
//	states.go     its states: one table
//	pending.go    a name while this session uploads under it
//	transfers.go  what is read and written now, for who watches
//	sums.go       the SHA-256 of what is published
//	receipt.go    what the server has got, from whom and when
//	history.go    old versions
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
	Account string // who it is: the owner of partials

	// Shares are the libraries, each by the name of its folder in "/". A single one
	// by the name "" is "/" itself.
	Shares map[string]Share
	Start  string // the folder that paths begin from that do not start with "/"; "" is "/"

	// Library is short for a single library that is open, and is "/".
	Library     vfs.Library
	LibraryName string // in events
	Permissions vfs.Permissions
	MaxFileSize int64 // bytes; 0 is no cap
	Hold        vfs.Hold

	Temporaries *Temporaries // those of the server; nil refuses hidden names and holds nothing

	Sums *Sums // for events; nil is that they have none

	Receipts Receipts // nil gives none

	Origin vfs.Origin // the connection, for events that come after its end

	Transfers *Transfers    // knows what is read and written; nil is that nobody asks
	Panics    *atomic.Int64 // counts panics; nil is that nobody asks

	// Turns are those of digests, by account; nil is that nobody waits.
	Turns func(ctx context.Context, account string) (end func(), err error)

	// Asking ends when the client does not wait for a digest any more; nil is only
	// when the session ends.
	Asking context.Context

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
// Paths are those of SFTP: relative to "/", which is the library or the folder of
// the libraries, with "." and ".." meaning what they do elsewhere. None leads out.
type Session struct {
	ctx       context.Context // what the library is called with
	asking    context.Context // what digests are made with
	account   string
	origin    vfs.Origin
	start     string
	shares    atomic.Pointer[shares]
	reached   []*share // those whose library the session has open; mu
	report    func(vfs.Event) error
	ready     func() error
	log       *slog.Logger
	transfers *Transfers
	panics    *atomic.Int64
	sums      *Sums
	receipts  Receipts
	matched   map[string]bool // folders in which patterns were looked for; mu
	open      atomic.Int32    // files, uploads and listings, for other goroutines
	answers   atomic.Int32    // see Answer
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
		ctx: ctx, account: o.Account, origin: o.Origin, report: o.Report, ready: o.Ready, log: o.Log, temporaries: o.Temporaries, transfers: o.Transfers, panics: o.Panics, sums: o.Sums, receipts: o.Receipts,
		pending: make(map[place][]*Writer), published: make(map[place]vfs.Version), replacing: make(map[place]vfs.Version),
		matched: make(map[string]bool),
	}
	s.asking = ctx
	if o.Asking != nil {
		s.asking = o.Asking
	}
	s.asking = vfs.WithTurns(s.asking, vfs.Turns{Name: o.Account, Take: o.Turns})
	s.start = clean("/", o.Start)
	s.shares.Store(new(shares))
	s.Change(o)
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

// Gone tells whether nobody waits any more for what the session does.
func (s *Session) Gone() bool { return s.ctx.Err() != nil }

// place is where a path leads: a name in a library. The library itself has the
// name "". The folder of the libraries is in none.
type place struct {
	in   *share
	name string
}

// path is what the client calls it, without the first "/".
func (p place) path() string {
	if p.in == nil {
		return p.name
	}
	return p.in.path(p.name)
}

// called is what events call it.
func (p place) called() (library, name string) {
	if p.in != nil {
		library = p.in.label
	}
	return library, p.name
}

// resolve finds the library and the name that a path stands for. A path into a
// folder that is no library stands for nothing: the error is fs.ErrNotExist.
func (s *Session) resolve(p string) (place, error) {
	at := s.locate(p)
	if err := s.Stopped(); err != nil {
		return at, err
	}
	if at.in == nil && at.name != "" || strings.Contains(at.name, "/") {
		return at, vfs.NotExist()
	}
	return at, nil
}

// file is resolve for what must be a file, in a library that is open then.
func (s *Session) file(p string) (place, error) {
	at, err := s.resolve(p)
	switch {
	case err != nil:
		return at, err
	case at.in == nil:
		return at, denied("that is the folder of the libraries")
	case at.name == "":
		return at, denied("that is the library itself")
	}
	return at, s.reach(at.in)
}

// clean is a path made absolute, without "." and "..".
func (s *Session) clean(p string) string { return clean(s.start, p) }

func clean(start, p string) string {
	if !strings.HasPrefix(p, "/") {
		p = start + "/" + p
	}
	return path.Clean("/" + p)
}

// Start is the folder that a client starts from, an absolute path.
func (s *Session) Start() string { return s.start }

// IsFolder tells whether a path is that of a library, or of the folder of all.
func (s *Session) IsFolder(p string) bool {
	at := s.locate(p)
	return at.name == ""
}

// exists is the answer for a name that is taken.

// denied is the refusal of an account that lacks a permission.
func denied(why string) error { return &vfs.Error{Kind: fs.ErrPermission, Why: why} }
