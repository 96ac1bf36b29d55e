// Package bucket is a library in a bucket of an S3-compatible object store.
//
//	bucket.go     Bucket: its options, open and close
//	store.go      one call to the store: time limits, tries, what its errors mean
//	connect.go    the client of the store: endpoint, credentials, connections
//	requests.go   the calls that are made
//	keys.go       how objects are called
//	probe.go      what the store holds of what is promised
//	look.go       what a file looks like, and Stat
//	attributes.go how mode and times lie beside the file
//	list.go       list
//	read.go       a file that is open for reading: one version, in order or not
//	digests.go    digests, which are remembered beside the files
//	change.go     remove, also what has expired; set attributes, set a size
//	rename.go     rename, which is a copy
//	create.go     an upload: what it starts from
//	upload.go     an upload while it goes on, and a draft: one that is opened again
//	parts.go      the parts of an upload, sent while it goes on
//	commit.go     how an upload ends: the promise, in one screen
//	publish.go    how a version takes the place of another: in turn, on a condition
//	partial.go    what is kept of an upload that was cut
//	record.go     how others know of it
//	node.go       which nodes are alive
//	sweep.go      what dead nodes left
//	versions.go   old versions, where the bucket keeps them
//	codes.go      Codes: which one-time codes were used, for all nodes
//	limits.go     what the library may hold, with all nodes: quota and max_files
//
// Package ledger keeps the count of what the library holds, and package history knows
// what the bucket has kept of what was replaced or removed.
//
// A file is a plain object that other programs can read. All else lies below
// ".shelf/" and has no name that a client can say.
//
// Several nodes serve one bucket. A change is sent on the condition that the file is
// still what it was when it was looked at, and is tried again if not. Of those who
// replace or remove one version each has its turn. Each published version has a random id of its own in its
// metadata. It tells whether a change has been made of which the answer was lost.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"shelf/vfs"
	"shelf/vfs/bucket/ledger"
	"shelf/vfs/spool"
)

// Options configures a library in a bucket.
type Options struct {
	Bucket     string // its name
	Prefix     string // of all keys, without "/" at its ends; "" is the whole bucket
	Connection Connection

	Spool *Spool // where uploads wait
	// Slots is how many parts are sent at a time by all libraries that share it;
	// nil is 8 for this one.
	Slots Slots
	// PartSize is the size of each part but the last, in bytes, for stores that want
	// equal parts. 0 has them grow, so that 10,000 of them hold 5 TiB.
	PartSize int64
	// Encryption is the header x-amz-server-side-encryption of what is written, such
	// as "AES256" or "aws:kms"; "" leaves it to the bucket. KMSKey goes with the latter.
	Encryption, KMSKey string

	// Quota is how many bytes the library may hold, and MaxFiles how many files, with
	// all nodes; 0 is no limit.
	Quota, MaxFiles int64

	// Expires has the library know when large files were published, too: stores may say
	// when their upload began.
	Expires bool

	// Versions says which old versions may stay. With 0 of each name the library offers
	// none, and leaves alone what the bucket keeps.
	Versions VersionRules
	Hold     vfs.Hold // as long as it counts no version goes

	Umask    fs.FileMode // what new files do not get of the mode that is asked for
	Partials PartialRules
	// Allow names what the store may lack of what [Open] asks for; see [Finding].
	Allow []string
	// Found is what [Probe] has found of the bucket just now; nil has [Open] ask.
	Found []Finding
	// Sweep is how often what dead nodes left is looked for; 0 is never.
	Sweep time.Duration
	Log   *slog.Logger // warnings and faults; nil discards
}

// Spool is a folder on the node's own disk, where uploads wait until they are sent.
type Spool = spool.Folder

// OpenSpool opens a folder, which is made if need be, for at most max bytes; 0 is no
// limit.
func OpenSpool(path string, max int64) (*Spool, error) { return spool.OpenFolder(path, max) }

// PartialRules says which beginnings of cut uploads are kept, and how long.
type PartialRules struct {
	MinSize    int64         // bytes; 0 is 1 MiB
	PerAccount int           // the oldest goes first; 0 is 32, below that none is kept
	MaxAge     time.Duration // since it was kept; 0 is 7 days
}

func (r PartialRules) orDefault() PartialRules {
	if r.MinSize == 0 {
		r.MinSize = 1 << 20
	}
	if r.PerAccount == 0 {
		r.PerAccount = 32
	}
	if r.MaxAge == 0 {
		r.MaxAge = 7 * 24 * time.Hour
	}
	return r
}

// Bucket is the Library in a bucket.
type Bucket struct {
	o     Options
	store *store
	has   abilities
	node  *node
	held  *ledger.Ledger // nil if nothing is limited
	lent  lent

	stop     context.CancelFunc // ends the sweeper
	busy     sync.WaitGroup     // it, and what tidies up
	sweeping context.Context    // ends with rest
	rest     context.CancelFunc
}

// Open opens a library in a bucket. It asks the store to keep its promises, in
// objects below ".shelf/probe/", and fails if one that is needed and not allowed to
// be missing does not hold, or if the store can't be reached.
func Open(ctx context.Context, o Options) (*Bucket, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Slots == nil {
		o.Slots = NewSlots(8)
	}
	if o.Spool == nil {
		return nil, errors.New("a library in a bucket needs a folder for uploads under way")
	}
	o.Partials = o.Partials.orDefault()
	s, err := connect(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	found := o.Found
	if found == nil {
		if found, err = s.probe(ctx); err != nil {
			s.close()
			return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
		}
		o.Warn(found)
	}
	if err := o.Judge(found); err != nil {
		s.close()
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	b := &Bucket{o: o, store: s, has: abilitiesOf(found), node: newNode(s)}
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.busy.Go(func() { b.node.run(live) })
	b.limit(live)
	b.sweeping, b.rest = context.WithCancel(live)
	if o.Sweep > 0 {
		b.busy.Go(func() { b.sweepAll(b.sweeping) })
	}
	return b, nil
}

// Warn logs what a store lacks.
func (o *Options) Warn(found []Finding) {
	for _, f := range found {
		if !f.Holds && !f.Optional {
			o.Log.Warn("the store does not do what a library needs", "bucket", o.Bucket, "what", f.Name, "lost", f.Lost, "answer", f.Answer)
		}
	}
}

// Judge refuses a store that lacks what is needed and not allowed to be missing.
func (o *Options) Judge(found []Finding) error {
	var lacks []string
	for _, f := range found {
		if !f.Holds && !f.Optional && !slices.Contains(o.Allow, f.Name) {
			lacks = append(lacks, fmt.Sprintf("%s (%s)", f.Name, f.Lost))
		}
	}
	if has := abilitiesOf(found); len(lacks) == 0 {
		return errors.Join(o.canLimit(has), o.canKeep(has))
	}
	return fmt.Errorf("the store lacks %s; use another store, or name them in allow_degraded", strings.Join(lacks, ", "))
}

// Properties implements [vfs.Library]. Durable means what the store means by it.
func (b *Bucket) Properties() vfs.Properties {
	return vfs.Properties{Durable: true, OldVersionsReadable: b.has.versions, KeepsVersions: b.o.keeps(), ApproximateList: true}
}

// Rest leaves all sweeping to another, which has other settings for the library; also what is
// being swept now. Sessions that have this one go on.
func (b *Bucket) Rest() { b.rest() }

// Close ends what goes on by itself. Uploads that are open fail.
func (b *Bucket) Close() error {
	b.stop()
	b.busy.Wait()
	b.leaveLedger()
	b.node.leave()
	b.store.close()
	return nil
}

// Slots are how many parts of uploads are sent at a time.
type Slots chan struct{}

// NewSlots are n slots.
func NewSlots(n int) Slots { return make(Slots, n) }

// take waits for a slot.
func (s Slots) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s Slots) release() { <-s }
