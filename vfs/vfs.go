// Package vfs is the contract between Shelf's protocols and its stores: a
// library, which is a flat set of named regular files that can be listed, read
// and replaced whole.
//
//	vfs.go          Library, File and Upload: what every store does
//	info.go         what is told of a file; versions
//	ability.go      what some stores do and promise beyond that, and how to ask
//	digest.go       digests: which there are, and the ability to tell them
//	turns.go        whose turn it is to make one
//	check.go        what judges content before it is published
//	name.go         which names a file may have
//	errors.go       one error type with a reason for the person at the client
//	permissions.go  what an account may do; package access is who asks
//	hold.go         what keeps all that is in a library
//	event.go        what is reported of what was done
//	origin.go       which connection an upload came over
//	fault.go        what the operating system says, as the contract puts it; errors without paths
//
// Package vfstest has one test suite for every store.
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
// it with the reason ([ErrName]). Errors are an [*Error], or wrap a context's;
// a store that can't be reached answers [ErrUnavailable]. A Library is safe for
// concurrent use; what it opens is not (see each). A wrapper around a Library,
// File or Upload has a method Unwrap, through which [As] finds abilities.
//
// Every call that may wait ends when its ctx does. The ctx of Open and Create
// holds for the calls of what they return, too: when it has ended these may
// fail, but for Close, Abort and Keep.
type Library interface {
	// Properties tells what this store promises beyond the contract.
	Properties() Properties

	// List yields every file once, in no set order, without holding them all
	// in memory. A file removed meanwhile is left out. It stops at the first
	// error of the store, which it yields last with an empty Info.
	List(ctx context.Context) iter.Seq2[Info, error]

	// Stat describes a file.
	Stat(ctx context.Context, name string) (Info, error)

	// Open opens a file for reading. What is read is the version that was
	// published at that moment, whole, however often it is replaced later.
	Open(ctx context.Context, name string) (File, error)

	// Create begins an upload as [CreateOptions] says. Nothing that others can
	// see changes before Upload.Commit.
	Create(ctx context.Context, name string, o CreateOptions) (Upload, error)

	// Rename gives the file old the name new, and describes it before and after
	// that. If new exists it is replaced when replace is set, else the error is
	// [fs.ErrExist]. At no moment, and after no crash, is there neither name.
	Rename(ctx context.Context, old, new string, replace bool) (Change, error)

	// Remove removes a file. Those who have it open keep reading it.
	Remove(ctx context.Context, name string) error

	// SetAttr changes the mode and times of a file, and describes it before and
	// after that. A new size is published like an upload: a reader sees the old
	// content or the new, whole.
	SetAttr(ctx context.Context, name string, a Attr) (Change, error)
}

// A File is one version of a published file, open for reading. ReadAt may be
// called from several goroutines; it returns io.EOF at the end of the file.
type File interface {
	io.ReaderAt
	io.Closer
	Stat() (Info, error)
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
	Stat() (Info, error)

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

	// Commit publishes the upload under its name, whole and durable, ends it, and
	// describes the version that it made and the one that it replaced. One that nothing was written to
	// publishes no content, only the mode and times that were set. On an error
	// the upload is gone, nothing was published and the name is as it was; but
	// with [ErrUncertain] it may have been published. With
	// [CreateOptions.NoReplace] the error is [fs.ErrExist] if the name has been
	// taken meanwhile. That of [CreateOptions.Check] is returned as it is.
	Commit(ctx context.Context) (Change, error)

	// Abort ends the upload and leaves nothing of it. After Commit it does
	// nothing.
	Abort() error
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
	// Mode is the permission bits that are asked for a new file; zero is 0644. The
	// store may give less, as by a umask. A file that exists keeps its own. The
	// owner can always read and write.
	Mode fs.FileMode
	// Owner is the account that uploads; partials are its own.
	Owner string
	// NoPartial has the upload go on with no partial, and leave none.
	NoPartial bool
	// MaxSize caps the upload, in bytes; zero is no cap.
	MaxSize int64
	// Check is asked by Commit when the content is whole and on disk, before anything
	// is published; nil is nobody.
	Check Check
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

	Check Check // of Library.SetAttr: judges what a new size publishes; nil is nobody
}

// Add has a set the mode and the times, too, that b sets, as at the end of an upload.
func (a *Attr) Add(b Attr) {
	if b.HasMode {
		a.HasMode, a.Mode = true, b.Mode
	}
	if b.HasTimes {
		a.HasTimes, a.Atime, a.Mtime = true, b.Atime, b.Mtime
	}
}

// FileMode is the mode that a library gives a file when m is asked for: the
// nine permission bits, and always read and write for the owner. Set-id and
// sticky bits are dropped.
func FileMode(m fs.FileMode) fs.FileMode { return m&0o777 | 0o600 }
