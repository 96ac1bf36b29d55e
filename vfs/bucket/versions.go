package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"shelf/vfs"
	"shelf/vfs/bucket/history"
)

// In a bucket that keeps versions, what is replaced or removed stays there by itself. So
// nothing has to be done to keep it. What lay beside it is moved to where no list of files
// finds it:
//
//	was/HEX-ID-ETAG-SERIAL-MODE-MTIME
//
// What goes for good goes by the store's id of the version, and only if it is not what
// the name stands for now: else the one before that would come back by itself.

// VersionRules says which versions may stay.
type VersionRules = history.Rules

// keeps tells whether the library offers what the bucket keeps.
func (o *Options) keeps() bool { return o.Versions.PerName > 0 }

// canKeep refuses versions where the bucket keeps none.
func (o *Options) canKeep(has abilities) error {
	switch {
	case !o.keeps() || has.versions && has.erases:
		return nil
	case has.versions:
		return fmt.Errorf("keep_versions needs %s, which the store or its credentials lack: allow ListBucketVersions, GetObjectVersion and DeleteObjectVersion, or leave it out", listVersions)
	}
	return errors.New("keep_versions needs a bucket that keeps versions: turn its versioning on, as with " +
		"\"aws s3api put-bucket-versioning --bucket " + o.Bucket + " --versioning-configuration Status=Enabled\", or leave it out")
}

// withVersions is a library that keeps versions.
type withVersions struct{ *Bucket }

// Unwrap lets [vfs.As] find what only a library with limits can tell.
func (b withVersions) Unwrap() vfs.Library {
	if b.held == nil {
		return nil
	}
	return withLimits(b)
}

// maxTold is how many versions of a name are told. All of them are asked for when they
// were modified.
const maxTold = 1000

// Versions implements [vfs.History].
func (b withVersions) Versions(ctx context.Context, name string) (all []vfs.OldVersion, err error) {
	if vfs.CheckName(name) != nil {
		return nil, nil
	}
	n, err := history.Of(ctx, b.store.fileKey(name), b.store.versions(b.store.fileKey(name), nil))
	if err != nil {
		return nil, failure("list the versions", err)
	}
	n.Old = n.Old[:min(len(n.Old), maxTold)]
	looks, err := b.lookAtOld(ctx, name, n.Old)
	for i, l := range looks {
		if l != nil {
			v := n.Old[i]
			all = append(all, vfs.OldVersion{ID: v.ID, Kept: v.Kept, Size: v.Size, ModTime: time.Unix(l.mtime, 0)})
		}
	}
	return all, failure("look at the versions", err)
}

// maxLooks is how many versions are asked for at a time.
const maxLooks = 8

// lookAtOld describes versions of a name. One that is not there any more is nil.
func (b *Bucket) lookAtOld(ctx context.Context, name string, old []history.Version) ([]*look, error) {
	if len(old) == 0 {
		return nil, nil
	}
	beside := b.lookBeside(ctx, name) // of who was killed before it could move it, or another program
	was, err := b.wasBeside(ctx, name)
	now := <-beside
	if err := errors.Join(err, now.err); err != nil {
		return nil, err
	}
	was = append(was, now.sidecars...)
	looks, errs := make([]*look, len(old)), make([]error, len(old))
	var all sync.WaitGroup
	turns := make(chan struct{}, maxLooks)
	for i, v := range old {
		turns <- struct{}{}
		all.Go(func() {
			looks[i], errs[i] = b.lookAtVersion(ctx, name, v.ID)
			<-turns
		})
	}
	all.Wait()
	for i, l := range looks {
		switch {
		case isNoVersion(errs[i]):
			errs[i] = nil
		case errs[i] == nil:
			l.dressOld(was)
		}
	}
	return looks, errors.Join(errs...)
}

// lookAtVersion describes a version of a file that is not the latest.
func (b *Bucket) lookAtVersion(ctx context.Context, name, id string) (*look, error) {
	o, err := b.store.headVersion(ctx, b.store.fileKey(name), id)
	if err != nil {
		return nil, err
	}
	l := lookAt(name, headed(o))
	l.version = id // also of what was there before the bucket kept versions
	return l, nil
}

// nullVersion is the id of what was made while the bucket kept no versions. What is made
// next without them takes its place, and its id.
const nullVersion = "null"

// isKept tells of a version that was made just now whether the bucket keeps it when it is
// replaced. If not its versioning was turned off, and this one may have the id of the one
// before.
func (l *look) isKept() bool { return l.version != "" && l.version != nullVersion }

// isNoVersion tells of a version that is not there. Stores do not agree what to say then.
func isNoVersion(err error) bool {
	return isGone(err) || status(err) == http.StatusBadRequest || status(err) == http.StatusMethodNotAllowed
}

// wasKey is where what lies beside a version goes with it.
func (s *store) wasKey(sidecar string) string {
	return s.hiddenKey("was") + "/" + strings.TrimPrefix(sidecar, s.sidecarPrefix())
}

// wasBeside are the sidecars of old versions of a name.
func (b *Bucket) wasBeside(ctx context.Context, name string) (all []sidecar, err error) {
	from := b.store.pages(ctx, b.store.wasKey(b.store.sidecarOf(name)), false)
	defer from.end()
	for {
		o, ok, err := from.next()
		if err != nil || !ok {
			return all, err
		}
		if c, ok := b.store.parseWas(o); ok && c.name == name {
			all = append(all, c)
		}
	}
}

// parseWas is parseSidecar for what lay beside an old version.
func (s *store) parseWas(o types.Object) (c sidecar, ok bool) {
	key := aws.ToString(o.Key)
	beside := s.sidecarPrefix() + strings.TrimPrefix(key, s.wasKey(s.sidecarPrefix()))
	o.Key = &beside
	c, ok = s.parseSidecar(o)
	c.key = key
	return c, ok
}

// dressOld gives a version the attributes that lay beside it.
func (l *look) dressOld(was []sidecar) {
	l.dress(slices.DeleteFunc(slices.Clone(was), func(c sidecar) bool { return c.id != short(l.id) }))
}

// retire removes what lies beside a version that was replaced or removed. What counts
// there is kept with it.
func (b *Bucket) retire(ctx context.Context, l *look, sidecars []string) {
	if b.o.keeps() && l != nil && l.serial > 0 {
		if err := b.store.putText(ctx, b.store.wasKey(b.store.sidecarKey(l)), nil); err != nil {
			b.o.Log.Warn("the mode and times of an old version are not kept yet", "name", l.name, "err", err)
			return // the sweeper does it
		}
	}
	b.store.removeHidden(ctx, sidecars...)
}

// erase removes a version for good, after it was removed: it has another name now.
func (b *Bucket) erase(ctx context.Context, l *look) {
	if !b.o.keeps() || l.version == "" {
		return
	}
	if err := b.store.eraseVersion(ctx, b.store.fileKey(l.name), l.version); err != nil {
		b.o.Log.Warn("what was renamed or restored is an old version, too", "name", l.name, "err", err)
	}
}

// Restore implements [vfs.History]. The order of the calls is the promise:
//
//	GetObject, PutObject           a small version, or else
//	UploadPartCopy..., Complete    the version is the file; what it has replaced is kept
//	DeleteObject                   the version, by its id
//
// So a crash between them leaves it both as the file and as a version.
func (b withVersions) Restore(ctx context.Context, name, id string, replace bool) (c vfs.Change, err error) {
	if err := vfs.CheckName(name); err != nil {
		return c, err
	}
	from, err := b.findOld(ctx, name, id)
	if err != nil {
		return c, err
	}
	u := b.begin(ctx, name, vfs.CreateOptions{Create: true, NoReplace: !replace})
	defer u.end()
	u.mode, u.attr = from.mode, vfs.Attr{HasTimes: true, Mtime: time.Unix(from.mtime, 0)}
	if err := u.lookFirst(); err != nil {
		return c, err
	}
	if u.seen != nil && !replace {
		return c, vfs.Exists()
	}
	u.borrow(u.seen)
	if err := u.hold(from.size); err != nil {
		return c, err
	}
	to, err := u.copy(ctx, from)
	if err != nil {
		return c, err
	}
	late, cancel := b.lateFor(ctx)
	defer cancel()
	if err := u.dress(late, to); err != nil {
		return c, err
	}
	if to.isKept() {
		b.erase(late, from)
		b.store.removeHidden(late, from.sidecars...)
	}
	b.carrySum(from, to)
	return vfs.Change{After: to.info(), Replaced: u.seen.infoOrNone()}, nil
}

// findOld describes the old version of a name that has an id.
func (b *Bucket) findOld(ctx context.Context, name, id string) (*look, error) {
	key := b.store.fileKey(name)
	n, err := history.Of(ctx, key, b.store.versions(key, nil))
	if err != nil {
		return nil, failure("list the versions", err)
	}
	i := slices.IndexFunc(n.Old, func(v history.Version) bool { return v.ID == id })
	if i < 0 {
		return nil, noVersion()
	}
	looks, err := b.lookAtOld(ctx, name, n.Old[i:i+1])
	if err == nil && looks[0] == nil {
		err = noVersion()
	}
	if err != nil {
		return nil, failure("look at a version", err)
	}
	return looks[0], nil
}

func noVersion() error {
	return &vfs.Error{Kind: fs.ErrNotExist, Why: "no such version is kept"}
}

// sweepVersions removes the versions that may stay no longer. One that the store does not let
// go, as by object lock, keeps no other.
func (b *Bucket) sweepVersions(ctx context.Context) error {
	if !b.o.keeps() || b.o.Hold.Counts(time.Now()) {
		return nil
	}
	if err := b.stillKeeps(ctx); err != nil {
		return fmt.Errorf("old versions: %w", err)
	}
	var now time.Time // by the clock of the store
	var stays error
	left := &leftovers{b: b, from: b.store.pages(ctx, b.store.wasKey(b.store.sidecarPrefix()), false), now: &now}
	defer left.from.end()
	for n, err := range history.Names(ctx, b.store.versions(b.store.prefix, &now)) {
		if err != nil {
			return fmt.Errorf("list versions: %w", err)
		}
		name := strings.TrimPrefix(n.Key, b.store.prefix)
		if vfs.CheckName(name) != nil {
			continue // not ours
		}
		if err := left.dropUpTo(ctx, name, len(n.Old) > 0); err != nil {
			return fmt.Errorf("remove what lay beside old versions: %w", err)
		}
		if err := b.dropOld(ctx, name, b.o.Versions.Beyond(n, now)); err != nil {
			stays = fmt.Errorf("remove old versions: %w", err)
			if verdictOf(err) != refused {
				return stays // the store is away
			}
		}
	}
	return stays
}

// leftovers are what lay beside versions that others have removed, as rules of the bucket do.
// They come in the order of names.
type leftovers struct {
	b    *Bucket
	from *pages
	head *sidecar   // read and not used yet; nil is none
	now  *time.Time // by the clock of the store
}

// dropUpTo removes what is of names before this one, which have nothing in the list of
// versions, and of this one if it has no old versions.
func (l *leftovers) dropUpTo(ctx context.Context, name string, hasOld bool) error {
	for {
		for l.head == nil {
			o, ok, err := l.from.next()
			if err != nil || !ok {
				return err
			}
			if c, ok := l.b.store.parseWas(o); ok {
				l.head = &c
			}
		}
		if l.head.name > name {
			return nil
		}
		if l.head.name < name || !hasOld {
			if err := l.drop(ctx, *l.head); err != nil {
				return err
			}
		}
		l.head = nil
	}
}

// drop removes one, if its name still has no old versions. What is young may be of one that
// was replaced after the list was read.
func (l *leftovers) drop(ctx context.Context, c sidecar) error {
	if l.now.Sub(c.at) < leftAfter {
		return nil
	}
	key := l.b.store.fileKey(c.name)
	n, err := history.Of(ctx, key, l.b.store.versions(key, nil))
	if err == nil && len(n.Old) == 0 {
		l.b.store.removeHidden(ctx, c.key)
	}
	return err
}

// errKeepsNone is a bucket whose versioning was turned off while it is served.
var errKeepsNone = errors.New("the bucket keeps none any more, so what is replaced or removed is lost; turn its versioning on, or leave keep_versions out")

// stillKeeps asks the bucket to keep something. Where its versioning was turned off nothing
// must be removed by its id: what has the null one may be replaced meanwhile.
func (b *Bucket) stillKeeps(ctx context.Context) error {
	key := b.store.hiddenKey("probe", newID())
	a, out := b.store.put(ctx, key, bodyOfText(nil), nil, condition{})
	if out.err != nil {
		return out.err
	}
	if now := (&look{version: a.version}); !now.isKept() {
		b.store.removeHidden(ctx, key)
		return errKeepsNone
	}
	return b.store.eraseVersion(ctx, key, a.version)
}

// dropOld removes versions and markers, and what lay beside them. One that has to stay keeps
// no other.
func (b *Bucket) dropOld(ctx context.Context, name string, gone []history.Entry) error {
	if len(gone) == 0 {
		return nil
	}
	was, err := b.wasBeside(ctx, name)
	if err != nil {
		return err
	}
	var stays error
	for _, e := range gone {
		if err := b.dropVersion(ctx, name, e, was); err != nil {
			if stays = err; verdictOf(err) != refused {
				break
			}
		}
	}
	return stays
}

// dropVersion removes a version or a marker.
func (b *Bucket) dropVersion(ctx context.Context, name string, e history.Entry, was []sidecar) (err error) {
	var beside []string
	if len(was) > 0 && !e.Marker {
		if beside, err = b.besideOld(ctx, name, e.ID, was); err != nil {
			return err
		}
	}
	if err := b.store.eraseVersion(ctx, b.store.fileKey(name), e.ID); err != nil {
		return err
	}
	b.store.removeHidden(ctx, beside...)
	return nil
}

// besideOld are the keys of those sidecars that are of a version.
func (b *Bucket) besideOld(ctx context.Context, name, id string, was []sidecar) (keys []string, err error) {
	l, err := b.lookAtVersion(ctx, name, id)
	if isNoVersion(err) {
		return nil, nil
	}
	if err == nil {
		l.dressOld(was)
		keys = l.sidecars
	}
	return keys, err
}
