package vfs

import (
	"context"
	"iter"
	"time"
)

// Properties is what a [Library] promises beyond the contract. Protocols
// announce what they offer by it.
type Properties struct {
	// Durable: what Commit, Rename, Remove and SetAttr have done survives a
	// power cut.
	Durable bool
	// AtomicRename: Rename has no moment in which both names are there, or
	// neither is. Without it both may be there for a while.
	AtomicRename bool
	// OldVersionsReadable: an open File keeps its version when the file is
	// replaced or removed. Without it reading may fail then.
	OldVersionsReadable bool
	// Fsync: Upload.Sync makes what was written survive a power cut.
	Fsync bool
	// KeepsVersions: what an upload, Rename or Remove takes from a name is kept, and
	// the library has [History].
	KeepsVersions bool
	// ApproximateList: List may tell another mode and mtime than Stat.
	ApproximateList bool
}

// Resume is implemented by a [Library] that keeps partials: the beginning of an
// upload whose session was cut. A partial is private to its owner and name, is
// in no list, and counts only while nothing is published under the name: then
// it is the base of a Create without Truncate.
type Resume interface {
	// Partial describes the partial of owner and name, or fs.ErrNotExist.
	Partial(ctx context.Context, owner, name string) (Info, error)
}

// Keeper is implemented by an [Upload] of such a Library.
type Keeper interface {
	// Keep ends the upload like Abort, but keeps what was written from the
	// start without a gap as a partial, if it is worth it.
	Keep() error
}

// History is implemented by a [Library] that can keep what its names have stood for:
// the file that an upload or a Rename replaces, and one that is removed. Such a
// version has no name that any other call takes. How many stay, and how long, is the
// store's.
type History interface {
	// Versions lists those of a name, the newest first, whether a file has the name
	// now or not. Where there are none that is no error.
	Versions(ctx context.Context, name string) ([]OldVersion, error)

	// Restore publishes a version under its name, and takes it out of the history.
	// The file that it replaces is kept as a version, even if the library keeps none
	// otherwise; without replace the error is [fs.ErrExist] if there is one. If there
	// is no such version it is [fs.ErrNotExist]. At no moment, and after no crash, is
	// either of them lost. There is no Before.
	Restore(ctx context.Context, name, id string, replace bool) (Change, error)

	// Sweep removes the versions that may stay no longer. As long as a library is open
	// it does that by itself.
	Sweep(ctx context.Context) error
}

// OldVersion is a version that is kept.
type OldVersion struct {
	ID      string    // among those of its name; no two ever have the same
	Kept    time.Time // since when: it was replaced or removed then
	Size    int64     // bytes
	ModTime time.Time
}

// Expiry is implemented by a [Library] that knows when its files were published.
type Expiry interface {
	// Expired yields the files that have not changed since before: not their content,
	// their name, nor what else is told of them.
	Expired(ctx context.Context, before time.Time) iter.Seq2[Info, error]

	// RemoveVersion is Remove, if the name still stands for this version; else the
	// error is [fs.ErrNotExist].
	RemoveVersion(ctx context.Context, name string, v Version) error
}

// Duties is implemented by a [Library] that several servers share, where one of them should
// do what has to be done now and then.
type Duties interface {
	// TakeOn tells whether this server is to do it now: none has taken it on for so long.
	TakeOn(ctx context.Context, what string, lately time.Duration) (bool, error)
}

// Recent is implemented by a [Library] that knows when and by whom its files were
// published.
type Recent interface {
	// Recent yields the files that were published, or changed otherwise, since then.
	// What another program has put there is left out, where that can be told. While
	// other servers publish there, too, the error is [ErrUnsupported].
	Recent(ctx context.Context, since time.Time) iter.Seq2[Published, error]
}

// Published is a file with when that was, and by which account; "" is that nobody
// knows.
type Published struct {
	Info
	At    time.Time
	Owner string
}

// Space is implemented by a [Library] that knows how much room it has, in bytes
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

// Usage is implemented by a [Library] that can tell what it holds.
type Usage interface {
	// Usage counts it, which may take long.
	Usage(ctx context.Context) (UsageInfo, error)

	// Charged is what it holds as its limits are held against it, without counting
	// anew; ok is false if it has no limits.
	Charged() (held UsageInfo, ok bool)

	// Partials is how many partials it keeps.
	Partials(ctx context.Context) (int, error)
}

// Owners is implemented by a [Library] that knows who has published what.
type Owners interface {
	// Owners counts the files by the account that has published each last; "" is
	// that nobody knows. It may take long.
	Owners(ctx context.Context) (map[string]UsageInfo, error)
}

// UsageInfo is what a Library holds: files, uploads under way and partials.
type UsageInfo struct{ Bytes, Files int64 }

// Probe is implemented by a [Library] that may stop working while it is open, as
// when its disk is gone.
type Probe interface {
	// Probe returns nil if uploads can be made now. It changes nothing that anybody
	// sees.
	Probe(ctx context.Context) error
}

// As finds an optional ability, such as [Space], [Keeper] or [Digest], of a
// Library, File or Upload: its own, or that of what it is wrapped around. A
// wrapper has a method Unwrap that returns that. One that must see the calls
// of an ability has the ability itself.
func As[T any](v any) (ability T, ok bool) {
	for v != nil {
		if ability, ok = v.(T); ok {
			return ability, true
		}
		v = unwrap(v)
	}
	return ability, false
}

// unwrap is what v is wrapped around, or nil.
func unwrap(v any) any {
	switch v := v.(type) {
	case interface{ Unwrap() Library }:
		return v.Unwrap()
	case interface{ Unwrap() File }:
		return v.Unwrap()
	case interface{ Unwrap() Upload }:
		return v.Unwrap()
	}
	return nil
}
