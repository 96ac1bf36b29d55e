package access

import (
	"errors"
	"io/fs"
	"time"

	"shelf/vfs"
)

// permissions is a set of what an account may do.
type permissions uint8

const (
	mayList permissions = 1 << iota
	mayRead
	mayWrite
	mayOverwrite
	mayRename
	mayDelete
	mayRestore
)

// permissionsOf reads [vfs.Permissions], and is all that does.
func permissionsOf(p vfs.Permissions) (set permissions) {
	for _, one := range [...]struct {
		held bool
		bit  permissions
	}{
		{p.List, mayList}, {p.Read, mayRead}, {p.Write, mayWrite},
		{p.Overwrite, mayOverwrite}, {p.Rename, mayRename}, {p.Delete, mayDelete},
		{p.Restore, mayRestore},
	} {
		if one.held {
			set |= one.bit
		}
	}
	return set
}

// action is something that needs a permission.
type action int

const (
	toList         action = iota
	toStat                // a published file
	toSeePartial          // what the account could resume
	toRead                // a file
	toDigest              // a file
	toReceive             // the receipt of a file
	toCreate              // upload under a name that nothing is published under
	toReplace             // upload under a name that a file has, or rename to it
	toReadBack            // read what an upload started from
	toRename              // a file, whatever its new name
	toRemove              // a file
	toRemoveFolder        // of which there are none
	toSetAttr             // of a file
	toSeeVersions         // old ones of a name
	toRestore             // one of them, where no file has the name
	toRestoreOver         // the same, where one has
	toSeeSpace            // of the library
)

// excuse is a set of what needs no permission.
type excuse uint8

const (
	own         excuse = 1 << iota // a file that this session has published
	pending                        // a name that this session uploads under, or whose upload by the account waits
	unpublished                    // the same, with nothing published under it
	resumable                      // a partial, with nothing published under its name
	private                        // a temporary name that nobody else sees, or what waits for its verdict
	uploaded                       // what the account has uploaded, now or before; see Receipt
)

// A rule is who may do one thing.
type rule struct {
	name    string      // of the operation, in events, logs and reasons
	event   bool        // it is reported
	needs   permissions // one of these is enough; 0 is that anyone may
	excuses excuse      // one of these is enough, too
	missing bool        // who has neither, but may see files, is told where there is none
	changes bool        // it changes or removes what is published, which a hold forbids to all
	refusal string      // what is said to who has neither; "" is that there is no such file
}

// policy is all of it.
var policy = [...]rule{
	toList:         {"list", true, mayList, 0, false, false, "this account may not list files"},
	toStat:         {"stat", false, mayList | mayRead, own | pending, false, false, ""},
	toSeePartial:   {"stat", false, mayWrite, 0, false, false, ""},
	toRead:         {"get", true, mayRead, 0, false, false, "this account may not read files"},
	toDigest:       {"digest", true, mayRead, 0, false, false, "this account may not read files"},
	toReceive:      {"receipt", true, mayRead, uploaded, false, false, ""},
	toCreate:       {"put", true, mayWrite, 0, false, false, "this account may not upload files"},
	toReplace:      {"put", true, mayOverwrite, 0, false, true, "a file of that name exists, and this account may not replace files"},
	toReadBack:     {"put", true, mayRead, 0, false, false, "this account may not read files"},
	toRename:       {"rename", true, mayRename, own | unpublished, false, true, "this account may not rename files"},
	toRemove:       {"remove", true, mayDelete, resumable | private, false, true, "this account may not delete files"},
	toRemoveFolder: {"rmdir", false, mayDelete, 0, false, false, "this account may not delete files, and there are no folders"},
	toSetAttr:      {"setstat", true, mayOverwrite, own | pending, true, true, "this account may not change files"},
	toSeeVersions:  {"versions", true, mayRestore, 0, false, false, "this account may not see or restore old versions"},
	toRestore:      {"restore", true, mayRestore, 0, false, false, "this account may not see or restore old versions"},
	toRestoreOver:  {"restore", true, mayRestore, 0, false, true, "this account may not see or restore old versions"},
	toSeeSpace:     {"statvfs", false, 0, 0, false, false, ""},
}

// allow tells whether the account has a permission for it, and no hold forbids it.
func (l *share) allow(a action) bool { return l.permits(a) && !l.holds(a) }

func (l *share) permits(a action) bool {
	r, needs := l.rights.Load(), policy[a].needs
	return !r.gone && (needs == 0 || r.permissions&needs != 0)
}

// holds tells whether a hold forbids it.
func (l *share) holds(a action) bool { return policy[a].changes && l.underHold() }

// underHold tells whether what is in the library stays as it is.
func (l *share) underHold() bool { return l.rights.Load().hold.Counts(time.Now()) }

// excuses are what needs no permission for it. A file that this session has published
// is held like all others.
func (l *share) excuses(a action) excuse {
	if l.holds(a) {
		return policy[a].excuses &^ own
	}
	return policy[a].excuses
}

// goneError refuses a library that is not the account's any more, or is nil.
func (l *share) goneError() error {
	if l.rights.Load().gone {
		return denied("this account does not have that library any more")
	}
	return nil
}

// refuse is the refusal of it.
func (l *share) refuse(a action) error {
	if l.permits(a) && l.holds(a) {
		return l.rights.Load().hold.Refusal()
	}
	if why := policy[a].refusal; why != "" {
		return denied(why)
	}
	return vfs.NotExist()
}

// may refuses what is neither allowed nor excused. It looks at the file only
// where that matters.
func (s *Session) may(a action, at place) error {
	excuses := at.in.excuses(a)
	if err := at.in.goneError(); err != nil {
		return err
	}
	switch {
	case at.in.allow(a):
		return nil
	case excuses == 0:
		return at.in.refuse(a)
	case excuses&pending != 0 && (s.uploading(at) != nil || s.isWaiting(at)):
		return nil
	case excuses&private != 0 && (s.isPrivate(at) || s.isWaiting(at)):
		return nil
	}
	i, err := at.in.Stat(s.ctx, at.name)
	switch {
	case err == nil:
		return at.in.refuseUnless(excuses&own != 0 && s.isOwn(at, i), a)
	case !errors.Is(err, fs.ErrNotExist) || policy[a].missing && at.in.allow(toStat):
		return err
	case s.uploading(at) != nil || s.isWaiting(at):
		return at.in.refuseUnless(excuses&unpublished != 0, a)
	}
	_, err = s.partial(at)
	return at.in.refuseUnless(err == nil && excuses&resumable != 0, a)
}

func (l *share) refuseUnless(ok bool, a action) error {
	if ok {
		return nil
	}
	return l.refuse(a)
}

// still refuses to go on with what was allowed once, if it is no longer.
func (s *Session) still(a action, in *share) error {
	if err := s.Stopped(); err != nil || in == nil || in.allow(a) {
		return err
	}
	if err := in.goneError(); err != nil {
		return err
	}
	return in.refuse(a)
}

// mayCreate is the policy of an upload's beginning. Who may create and replace
// needs no look at what is there.
func (s *Session) mayCreate(at place, f Flags) error {
	reads := f.Read && !f.Truncate && !at.in.allow(toReadBack)
	if !reads && at.in.allow(toCreate) && at.in.allow(toReplace) {
		return nil
	}
	if reads && s.uploading(at) != nil {
		return at.in.refuse(toReadBack)
	}
	_, err := at.in.Stat(s.ctx, at.name)
	switch {
	case (err == nil || errors.Is(err, fs.ErrNotExist)) && !f.Create && s.isHidden(at):
		return at.in.refuse(toSetAttr)
	case errors.Is(err, fs.ErrNotExist):
		return s.may(toCreate, at)
	case err != nil:
		return err
	case f.Create && f.Exclusive:
		return nil // the library refuses it
	case !at.in.allow(toReplace) && !at.in.allow(toCreate):
		return at.in.refuse(toCreate)
	case !at.in.allow(toReplace):
		return at.in.refuse(toReplace)
	case reads:
		return at.in.refuse(toReadBack)
	}
	return nil
}

// isHidden tells whether the account must not learn if there is a file of a name
// that it neither uploads nor can go on with: it may only put files in.
func (s *Session) isHidden(at place) bool {
	if !at.in.allow(toCreate) || at.in.allow(toStat) || at.in.permits(toReplace) || s.uploading(at) != nil {
		return false
	}
	_, err := s.partial(at)
	return err != nil
}
