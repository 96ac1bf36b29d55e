package access

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"shelf/vfs"
)

// Source is where a library comes from. Two that are equal (==) are the same
// library.
type Source interface {
	// Open takes part in the library, which may have to be opened for that, until
	// release is called. The error is for the log.
	Open(ctx context.Context) (l vfs.Library, release func(), err error)

	// Properties is what the library promises, as far as that is known before it
	// is opened.
	Properties() vfs.Properties
}

// Share is a library of an account, and what the account may do there.
type Share struct {
	Source      Source
	Label       string // what events call the library
	Own         bool   // other accounts have others by that label
	Permissions vfs.Permissions
	MaxFileSize int64 // bytes; 0 is no cap
	Hold        vfs.Hold
	Names       []Names // which names files may get; all of these hold
	Gate        Gate    // judges what is published; nil is nobody
}

// Opened is the Source of a library that is open, and closed by somebody else.
func Opened(l vfs.Library) Source { return opened{l} }

type opened struct{ vfs.Library }

func (o opened) Open(context.Context) (vfs.Library, func(), error) { return o.Library, func() {}, nil }

// share is a library in a session. A Library is opened when a session first needs
// it: an account may have many.
type share struct {
	vfs.Library        // nil until it is reached; Session.mu
	release     func() // of it; Session.mu
	source      Source
	folder      string // its name in "/"; "" is that it is "/"
	label       string
	own         bool
	rights      atomic.Pointer[rights]
}

// rights are what the account may do with a library now.
type rights struct {
	permissions permissions
	maxFileSize int64 // bytes; 0 is no cap
	hold        vfs.Hold
	names       []Names
	gate        Gate
	gone        bool // it is not the account's library any more
}

func newShare(folder string, s Share) *share {
	in := &share{source: s.Source, folder: folder, label: s.Label, own: s.Own}
	in.grant(s)
	return in
}

// grant sets what the account may do from now on.
func (l *share) grant(s Share) {
	l.rights.Store(&rights{permissions: permissionsOf(s.Permissions), maxFileSize: s.MaxFileSize, hold: s.Hold, names: s.Names, gate: s.Gate})
}

// maxFileSize is the largest file that the account may make, in bytes; 0 is no cap.
func (l *share) maxFileSize() int64 { return l.rights.Load().maxFileSize }

// path is what the client calls a name in the library, without the first "/".
func (l *share) path(name string) string {
	return strings.Trim(l.folder+"/"+name, "/")
}

// shares are the libraries of an account by the names of their folders. A single
// one that is "/" itself has the name "".
type shares map[string]*share

// Change sets the libraries of the account as o has them, and what it may do there,
// from the next request on. What is open in a library that is the account's no
// longer is of no more use. Any goroutine may call it.
func (s *Session) Change(o Options) {
	if o.Library != nil {
		o.Shares = map[string]Share{"": {Source: Opened(o.Library), Label: o.LibraryName, Permissions: o.Permissions, MaxFileSize: o.MaxFileSize, Hold: o.Hold}}
	}
	was, now := *s.shares.Load(), make(shares, len(o.Shares))
	for folder, one := range o.Shares {
		if in := was[folder]; in != nil && in.source == one.Source {
			in.grant(one)
			now[folder] = in
		} else {
			now[folder] = newShare(folder, one)
		}
	}
	s.shares.Store(&now)
	for folder, in := range was {
		if now[folder] != in {
			in.rights.Store(&rights{gone: true, gate: in.rights.Load().gate})
		}
	}
}

// reach opens a library unless this session has it open.
func (s *Session) reach(in *share) error {
	if in.Library != nil {
		return nil
	}
	l, release, err := in.source.Open(s.ctx)
	if err != nil {
		// What the cause is an error of, as of a folder that is not there, says nothing
		// of a file.
		return &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the library cannot be served now; try again later", Err: errors.New(err.Error())}
	}
	in.Library, in.release = l, release
	s.reached = append(s.reached, in)
	return nil
}

// leaveAll gives back the libraries that the session has reached.
func (s *Session) leaveAll() {
	for _, in := range s.reached {
		in.release()
		in.Library = nil
	}
	s.reached = nil
}

// locate finds the library and the name that a path stands for. Outside of all
// libraries there is no library, and the name is the whole path.
func (s *Session) locate(p string) place {
	all, rest := *s.shares.Load(), strings.TrimPrefix(s.clean(p), "/")
	if only := all[""]; only != nil {
		return place{only, rest}
	}
	folder, name, _ := strings.Cut(rest, "/")
	if in := all[folder]; in != nil {
		return place{in, name}
	}
	return place{nil, rest}
}

// from finds the session's share of a library, or nil.
func (s *Session) from(source Source) *share {
	for _, in := range *s.shares.Load() {
		if in.source == source {
			return in
		}
	}
	return nil
}

// folders are the names of the libraries, sorted, where "/" is a folder of them.
func (s *Session) folders() []string { return slices.Sorted(maps.Keys(*s.shares.Load())) }

// chooseOne refuses a file outside of all libraries.
func (s *Session) chooseOne() error {
	const most = 20
	names := s.folders()
	if len(names) == 0 {
		return denied("this account has no library")
	}
	if len(names) > most {
		names = append(names[:most], "...")
	}
	return denied("choose one of: " + strings.Join(names, ", "))
}

// Properties tells what all libraries of the session promise beyond the contract.
func (s *Session) Properties() vfs.Properties {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := vfs.Properties{Durable: true, AtomicRename: true, OldVersionsReadable: true, Fsync: true}
	for _, in := range *s.shares.Load() {
		p := in.source.Properties()
		if in.Library != nil {
			p = in.Library.Properties()
		}
		all.Durable = all.Durable && p.Durable
		all.AtomicRename = all.AtomicRename && p.AtomicRename
		all.OldVersionsReadable = all.OldVersionsReadable && p.OldVersionsReadable
		all.Fsync = all.Fsync && p.Fsync
		all.ApproximateList = all.ApproximateList || p.ApproximateList
	}
	return all
}
