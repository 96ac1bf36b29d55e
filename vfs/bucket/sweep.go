package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// leftAfter is how long what may belong to something under way is left alone.
const leftAfter = 24 * time.Hour

// goneFor is how long there is word of a version that is gone: longer than anybody
// tries to find out what became of one.
const goneFor = time.Hour

// sweepAll sweeps now and then, until ctx ends.
func (b *Bucket) sweepAll(ctx context.Context) {
	tick := time.NewTicker(b.o.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := b.sweepInTurn(ctx); err != nil && ctx.Err() == nil {
				b.o.Log.Warn("what was left in the bucket was not swept", "bucket", b.o.Bucket, "err", err)
			}
		}
	}
}

// sweepInTurn sweeps unless another node has done so lately.
func (b *Bucket) sweepInTurn(ctx context.Context) error {
	mine, err := b.TakeOn(ctx, "sweeper", b.o.Sweep/2)
	if err != nil || !mine {
		return err
	}
	return b.Sweep(ctx)
}

// TakeOn implements [vfs.Duties]. Of two nodes that want to, the one does it that writes
// the object first which says so.
func (b *Bucket) TakeOn(ctx context.Context, what string, lately time.Duration) (bool, error) {
	key := b.store.hiddenKey(what)
	_, etag, age, err := b.store.getText(ctx, key)
	if err != nil && !isGone(err) {
		return false, failure("look who does it", err)
	}
	if err == nil && age < lately {
		return false, nil
	}
	c := condition{match: etag, absent: etag == ""}
	// A text that is new each time: with the same one the condition of others would be met still.
	_, out := b.store.put(ctx, key, bodyOfText([]byte(b.node.id+" "+newID())), nil, c)
	if isUnmet(out.err) || isGone(out.err) {
		return false, nil
	}
	return out.err == nil, failure("take it on", out.err)
}

// Sweep ends what dead nodes have begun, and removes what nobody needs any more. All
// of it is done on conditions: two may sweep at a time. After Rest it does nothing.
func (b *Bucket) Sweep(ctx context.Context) error {
	if b.sweeping.Err() != nil {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(b.sweeping, stop)()
	kept, err := b.sweepPartials(ctx)
	if err == nil { // otherwise it is not known which uploads are kept
		err = b.sweepParts(ctx, kept)
	}
	return errors.Join(
		err,
		b.sweepRenames(ctx),
		b.sweepOld(ctx, "tail", b.o.Partials.MaxAge+leftAfter),
		b.sweepOld(ctx, "sum", knownFor),
		b.sweepOld(ctx, "turn", goneFor),
		b.sweepOld(ctx, "node", leftAfter),
		b.sweepOld(ctx, "probe", leftAfter),
		b.sweepSidecars(ctx),
		b.sweepVersions(ctx),
	)
}

// sweepOld removes what lies below a hidden key and is old.
func (b *Bucket) sweepOld(ctx context.Context, under string, most time.Duration) error {
	for h, err := range b.store.listHidden(ctx, under) {
		if err != nil {
			return fmt.Errorf("list %s: %w", under, err)
		}
		if h.age > most {
			b.store.removeHidden(ctx, h.key)
		}
	}
	return nil
}

// sweepPartials drops the partials that are too old, and tells the uploads that the
// others are of.
func (b *Bucket) sweepPartials(ctx context.Context) (kept []string, err error) {
	for h, err := range b.store.listHidden(ctx, "partial") {
		if err != nil {
			return kept, fmt.Errorf("list partials: %w", err)
		}
		r := b.recordAt(ctx, h.key)
		if r.err != nil {
			return kept, r.err
		}
		if h.age <= b.o.Partials.MaxAge {
			kept = append(kept, r.Upload)
		} else if err := b.dropRecord(ctx, r); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// sweepParts drops uploads in parts that nobody has gone on with for long, and that
// are not kept.
func (b *Bucket) sweepParts(ctx context.Context, kept []string) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &b.o.Bucket, Prefix: &b.store.prefix}
	for {
		var o *s3.ListMultipartUploadsOutput
		err := b.store.try(ctx, func(ctx context.Context) (err error) {
			ctx, cancel := b.store.brief(ctx)
			defer cancel()
			o, err = b.store.client.ListMultipartUploads(ctx, in)
			return err
		})
		if err != nil {
			return fmt.Errorf("list uploads in parts: %w", err)
		}
		now := storeTime(o.ResultMetadata)
		for _, u := range o.Uploads {
			if b.isLeft(u, now) && !slices.Contains(kept, aws.ToString(u.UploadId)) {
				b.store.abortParts(ctx, aws.ToString(u.Key), aws.ToString(u.UploadId))
			}
		}
		if !aws.ToBool(o.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = o.NextKeyMarker, o.NextUploadIdMarker
	}
}

// isLeft tells of an upload in parts whether it began too long ago to be going on.
func (b *Bucket) isLeft(u types.MultipartUpload, now time.Time) bool {
	return now.Sub(aws.ToTime(u.Initiated)) > b.longestUpload()
}

// longestUpload is how long an upload in parts may last.
func (b *Bucket) longestUpload() time.Duration { return 2 * b.o.Partials.MaxAge }

// sweepRenames ends the renames of dead nodes.
func (b *Bucket) sweepRenames(ctx context.Context) error {
	for h, err := range b.store.listHidden(ctx, "rename") {
		if err != nil {
			return fmt.Errorf("list renames: %w", err)
		}
		if err := b.endRename(ctx, h.key); err != nil {
			return err
		}
	}
	return nil
}

// endRename ends a rename whose node is dead: if the new name stands for the copy, the
// old one goes. If not, the file keeps its old name.
func (b *Bucket) endRename(ctx context.Context, key string) error {
	text, _, age, err := b.store.getText(ctx, key)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var i intent
	if err := json.Unmarshal(text, &i); err != nil {
		b.o.Log.Warn("a rename under way can't be read", "key", key, "err", err)
		return nil
	}
	alive, err := b.node.isAlive(ctx, i.Node)
	if err != nil || alive && age < leftAfter {
		return err
	}
	now, err := b.lookNow(ctx, i.New)
	if err != nil && !isGone(err) {
		return err
	}
	if err == nil && now.id == i.ID {
		err := b.endOld(ctx, i)
		if err != nil && !isGone(err) && !isUnmet(err) {
			return err
		}
		b.o.Log.Info("ended a rename that another node had begun", "old", i.Old, "new", i.New)
	}
	b.store.removeHidden(ctx, key)
	return nil
}

// endOld removes the old name of a rename, if it still is the version that was copied. An
// ETag does not tell that, nor does the turn: word of it ends long before the intent may.
func (b *Bucket) endOld(ctx context.Context, i intent) error {
	old := &look{name: i.Old, etag: i.ETag, id: i.OldID}
	if err := b.takeTurn(ctx, old); err != nil {
		return err
	}
	now, err := b.lookNow(ctx, i.Old)
	if err != nil {
		return err
	}
	if now.id != i.OldID {
		return errMoved
	}
	return b.removeInTurn(ctx, old).err
}

// sweepSidecars removes what lies beside files that are gone or were replaced.
func (b *Bucket) sweepSidecars(ctx context.Context) error {
	files, beside := b.store.pages(ctx, b.store.prefix, true), b.store.pages(ctx, b.store.sidecarPrefix(), false)
	defer files.end()
	defer beside.end()
	var stale []sidecar
	merge := sidecars{s: b.store, from: beside, passed: func(c sidecar) { stale = append(stale, c) }}
	for more := true; more; {
		_, ok, err := b.nextFile(files, &merge)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if more = ok; !ok {
			if err := merge.rest(); err != nil {
				return fmt.Errorf("list: %w", err)
			}
		}
		if err := b.dropStale(ctx, stale); err != nil {
			return err
		}
		stale = stale[:0]
	}
	return nil
}

// dropStale removes those sidecars that are not of the version that is there. A list
// can't tell for sure.
func (b *Bucket) dropStale(ctx context.Context, stale []sidecar) error {
	for _, c := range stale {
		now, err := b.lookNow(ctx, c.name)
		if err != nil && !isGone(err) {
			return err
		}
		if err == nil && short(now.id) == c.id {
			continue
		}
		if b.o.keeps() {
			if err := b.store.putText(ctx, b.store.wasKey(c.key), nil); err != nil {
				return err
			}
		}
		b.store.removeHidden(ctx, c.key)
	}
	return nil
}
