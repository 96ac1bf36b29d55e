// Package vfs is the library: a flat folder of regular files that accounts may
// list, read and write over SFTP, and nothing else.
//
// The way in is [Library], the contract of a store, and [Session], which
// serves one sftp channel on top of a Library.
//
//	vfs.go name.go errors.go  the contract: Library, File, Upload; names; Error
//
// [Dir] is the Library in a local directory:
//
//	dir.go list.go change.go  open, list, rename, remove, set attributes
//	create.go upload.go extent.go  an upload, and which bytes it has
//	draft.go                  an upload that is opened again before it has ended
//	commit.go                 how it is published: the promise
//	stage.go partial.go       the hidden folder: stages, and what can be resumed
//	saved.go attempts.go      what survives a crash; which of two uploads is kept
//	link.go renames.go folder.go  renaming without replacing; listing meanwhile; reading folders
//	room.go usage.go          how much there may be
//	digest.go digests.go digestfile.go  digests, and how they are remembered
//	fault.go info.go          what the system says, as the contract puts it
//
// A session is one conversation:
//
//	session.go options.go     takes the channel's packets in order
//	packets.go readdir.go handle.go  those on an open handle, answered at once
//	extended.go               extensions
//	names.go                  those by name, through pkg/sftp's RequestServer
//	handlers*.go              its handlers, and all policy
//	putting.go listing.go     an upload and a listing under way
//	pending.go filepart.go    a name while this session uploads under it, or under x.filepart
//	operation.go              a request that becomes an Event
//	frame.go reply.go buffer.go  the bytes
//	status.go                 errors to SSH_FX codes and reasons
//
// Other protocols come to the same handlers by [Access]:
//
//	access.go transfer.go     list, digest, read, upload
//
// Paths never reach a Library: a name is one path element, checked by
// [CheckName], so there is nothing to climb out of.
package vfs

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"time"
)

// A Library is one flat set of named regular files.
//
// Every method takes names, never paths; a name that [CheckName] refuses, and
// anything in the store that is not a regular file, does not exist
// ([fs.ErrNotExist]) except for Create and the new name of Rename, which refuse
// it with the reason ([ErrName]). Errors are an [*Error], or wrap a context's.
// A Library is safe for concurrent use; what it opens is not (see each).
type Library interface {
	// List yields every file once, in no set order, without holding them all
	// in memory. A file removed meanwhile is left out. It stops at the first
	// error of the store, which it yields last with a nil FileInfo.
	List(ctx context.Context) iter.Seq2[fs.FileInfo, error]

	// Stat describes a file. Sys is comparable and tells versions apart: it is
	// that of the Upload which published the file.
	Stat(ctx context.Context, name string) (fs.FileInfo, error)

	// Open opens a file for reading. What is read is the version that was
	// published at that moment, whole, however often it is replaced later.
	Open(ctx context.Context, name string) (File, error)

	// Create begins an upload as [CreateOptions] says. Nothing that others can
	// see changes before Upload.Commit.
	Create(ctx context.Context, name string, o CreateOptions) (Upload, error)

	// Rename gives the file old the name new, atomically. If new exists it is
	// replaced when replace is set, else the error is [fs.ErrExist].
	Rename(ctx context.Context, old, new string, replace bool) error

	// Remove removes a file. Those who have it open keep reading it.
	Remove(ctx context.Context, name string) error

	// SetAttr changes the mode and times of a file. A new size is published
	// like an upload: a reader sees the old content or the new, whole.
	SetAttr(ctx context.Context, name string, a Attr) error
}

// A File is one version of a published file, open for reading. ReadAt may be
// called from several goroutines; it returns io.EOF at the end of the file.
type File interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// An Upload is a file in the making, seen by nobody but its owner. It belongs
// to one session and is used by one goroutine at a time.
//
// The first error of WriteAt, SetAttr or Sync that leaves the content in doubt
// is kept: every later WriteAt, SetAttr and Commit fails with it.
type Upload interface {
	// WriteAt writes p at off (bytes), past the end too: what lies between
	// reads as zeros. It refuses, and writes nothing, when off is negative or
	// the end would pass a limit or the space there is.
	io.WriterAt

	// ReadAt reads what a Commit now would publish.
	io.ReaderAt

	// Stat describes what a Commit now would publish.
	Stat() (fs.FileInfo, error)

	// SetAttr sets what the published file is to have: size at once, mode and
	// times at Commit.
	SetAttr(a Attr) error

	// Open opens what a Commit now would publish. The File is good for longer
	// than the Upload; what is written after Open may show through.
	Open() (File, error)

	// Rename changes the name under which Commit publishes. Without replace a
	// file of that name is fs.ErrExist, now and at Commit.
	Rename(new string, replace bool) error

	// Sync makes what was written survive a crash of the machine. It does not
	// publish.
	Sync() error

	// Commit publishes the upload under its name, whole and durable, and ends
	// it. On an error nothing was published and the upload is gone: the name
	// is as it was. With [CreateOptions.NoReplace] the error is [fs.ErrExist]
	// if the name has been taken meanwhile.
	Commit(ctx context.Context) error

	// Abort ends the upload and leaves nothing of it. After Commit it does
	// nothing.
	Abort() error
}

// Resume is implemented by a Library that keeps partials: the beginning of an
// upload whose session was cut. A partial is private to its owner and name, is
// in no list, and counts only while nothing is published under the name: then
// it is the base of a Create without Truncate.
type Resume interface {
	// Partial describes the partial of owner and name, or fs.ErrNotExist.
	Partial(ctx context.Context, owner, name string) (fs.FileInfo, error)
}

// Keeper is implemented by an Upload of such a Library.
type Keeper interface {
	// Keep ends the upload like Abort, but keeps what was written from the
	// start without a gap as a partial, if it is worth it.
	Keep() error
}

// CreateOptions says what an upload starts from (draft-ietf-secsh-filexfer-02
// section 6.3, and POSIX open where the draft is silent).
type CreateOptions struct {
	// Create allows a name that does not exist; without it that is
	// fs.ErrNotExist.
	Create bool
	// Truncate starts from nothing and drops a partial. Without it the upload
	// starts with the content of the file as it is now, its base, or with its
	// owner's partial.
	Truncate bool
	// Exclusive refuses a name that exists with fs.ErrExist, now and at
	// Commit. It has no meaning without Create.
	Exclusive bool
	// Base is what the upload starts from instead of what is published under
	// the name: it was opened by another Upload of this Library, which has not
	// ended. The Upload takes it and closes it, and publishes no content if
	// nothing was written to it.
	Base File
	// NoReplace is for an account that may create but not overwrite: like
	// Exclusive, it never replaces a file, but a base is not needed to ask.
	NoReplace bool
	// Mode is the permission bits of a new file; zero is 0644. A file that
	// exists keeps its own. The owner can always read and write.
	Mode fs.FileMode
	// Owner is the account that uploads; partials are its own.
	Owner string
	// MaxSize caps the upload, in bytes; zero is no cap.
	MaxSize int64
}

// Attr is a set of attributes to change; those not named by a bool stay.
type Attr struct {
	HasSize  bool
	Size     int64 // bytes
	HasMode  bool
	Mode     fs.FileMode // permission bits; see [FileMode]
	HasTimes bool
	Atime    time.Time // whole seconds, as SFTP has them
	Mtime    time.Time
	HasOwner bool // uid/gid were given, which nothing here honours
}

// FileMode is the mode that a library gives a file when m is asked for: the
// nine permission bits, and always read and write for the owner. Set-id and
// sticky bits are dropped.
func FileMode(m fs.FileMode) fs.FileMode { return m&0o777 | 0o600 }

// Space is implemented by a Library that knows how much room it has, in bytes
// and files (statvfs@openssh.com).
type Space interface {
	Space(ctx context.Context) (SpaceInfo, error)
}

// SpaceInfo is what statvfs tells of a Library.
type SpaceInfo struct {
	BlockSize               uint64 // bytes
	Blocks, Free, Available uint64 // blocks; Available is what uploads can use
	Files, FreeFiles        uint64
}
