package bucket

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"
)

// record is what others can know of an upload: an object with this as JSON. While an
// upload goes on it is written anew after each part that was sent in order, so that
// another node can go on with it when this one has died.
type record struct {
	Owner, Name string
	Node        string // who has the upload open; "" is nobody, who may take it
	ID          string // of the version that it will make
	Upload      string // the store's id of it; "" if there are no parts
	PartSize    int64  // the setting that its parts were made by
	Parts       []string
	Hash        []byte // state of SHA-256 after the parts
	Tail        string // key of the object with what follows, or ""
	TailSize    int64  // bytes
}

// size is how many bytes of the upload there are.
func (r *record) size() int64 { return r.parts() + r.TailSize }

// parts is how many bytes its parts have.
func (r *record) parts() int64 { return sizing{r.PartSize}.end(int32(len(r.Parts))) }

// recorded is a record that was looked for.
type recorded struct {
	key  string // "" where there can be none
	etag string // "" if there is none
	age  time.Duration
	record
	err error
}

func (s *store) recordKey(owner, name string) string {
	return s.hiddenKey("partial", digest(owner), digest(name))
}

// lookForRecord asks for the record of what an account could resume.
func (b *Bucket) lookForRecord(ctx context.Context, owner, name string) <-chan recorded {
	found := make(chan recorded, 1)
	if owner == "" {
		found <- recorded{}
		return found
	}
	go func() { found <- b.readRecord(ctx, owner, name) }()
	return found
}

func (b *Bucket) readRecord(ctx context.Context, owner, name string) recorded {
	r := b.recordAt(ctx, b.store.recordKey(owner, name))
	if r.err == nil && r.etag != "" && (r.Owner != owner || r.Name != name) {
		r.record = record{} // nothing that can be resumed
	}
	return r
}

// recordAt reads the record of a key.
func (b *Bucket) recordAt(ctx context.Context, key string) recorded {
	r := recorded{key: key}
	text, etag, age, err := b.store.getText(ctx, key)
	if isGone(err) {
		return r
	}
	if err != nil {
		r.err = failure("look for a partial", err)
		return r
	}
	r.etag, r.age = etag, age
	if err := json.Unmarshal(text, &r.record); err != nil {
		b.o.Log.Warn("the record of a partial can't be read", "key", key, "err", err)
		r.record = record{}
	}
	return r
}

// recorder writes the record of an upload.
type recorder struct {
	mu      sync.Mutex
	on      bool   // the upload may be resumed
	name    string // that it is for; the upload may get another one
	key     string
	etag    string // of the record, or of another's that it takes the place of; "" is none
	mine    bool   // the record is there and this upload's
	held    bool   // the node shows that it is alive
	writing bool
	noted   int32     // parts that the record has
	sha     hash.Hash // of the parts
	hashed  int32     // parts that it has
	tail    string    // key
}

// mayRecord lets an upload be resumed that starts from nothing. r is the record that
// is there.
func (w *recorder) mayRecord(u *upload, r recorded) {
	if u.o.Owner == "" || u.b.o.Partials.PerAccount < 0 || u.o.Check != nil {
		return
	}
	w.on, w.name, w.key, w.etag, w.sha = true, u.name, r.key, r.etag, sha256.New()
	if u.o.Truncate || u.o.Exclusive {
		w.etag = "" // it was dropped
	}
}

// note is called when a part was sent. One goroutine writes the record; what comes
// meanwhile it writes next.
func (w *recorder) note(u *upload) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writing {
		return
	}
	w.writing = true
	for {
		n := u.parts.inOrder()
		if !w.on || n <= w.noted {
			w.writing = false
			return
		}
		r := w.recordOf(u, n)
		w.mu.Unlock()
		err := w.hash(u, n)
		if err == nil {
			r.Hash = w.state()
			err = w.write(u.sending, u, r)
		}
		w.mu.Lock()
		if w.noted = n; err != nil {
			w.on = false
			u.b.o.Log.Warn("if this upload is cut, it can't be resumed", "name", w.name, "err", err)
		}
	}
}

// recordOf is the record with n parts.
func (w *recorder) recordOf(u *upload, n int32) record {
	r := record{Owner: u.o.Owner, Name: w.name, Node: u.b.node.id, ID: u.id, PartSize: u.sizes.fixed, Tail: w.tail}
	if n > 0 {
		r.Upload, r.Parts = u.parts.uploadID(), u.parts.first(n)
	}
	return r
}

// hash goes on with the SHA-256 up to part n, while its bytes are on the disk. Only
// one goroutine is here at a time: the one that writes.
func (w *recorder) hash(u *upload, n int32) error {
	for ; w.hashed < n; w.hashed++ {
		k := w.hashed + 1
		off := u.sizes.end(w.hashed)
		if off < u.gone || w.sha == nil {
			return nil // of a part that an earlier node has sent: there is no digest
		}
		if _, err := io.Copy(w.sha, io.NewSectionReader(u.disk, off, u.sizes.size(k))); err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
	}
	return nil
}

// state is what another node goes on with.
func (w *recorder) state() []byte {
	if m, ok := w.sha.(encoding.BinaryMarshaler); ok {
		if b, err := m.MarshalBinary(); err == nil {
			return b
		}
	}
	return nil
}

// restore goes on with the SHA-256 of another node.
func (w *recorder) restore(r *record) {
	w.noted = int32(len(r.Parts))
	sha := sha256.New()
	if len(r.Parts) == 0 {
		w.sha = sha
		return
	}
	if m, ok := sha.(encoding.BinaryUnmarshaler); ok && m.UnmarshalBinary(r.Hash) == nil {
		w.sha, w.hashed = sha, w.noted
	}
}

// sum is the SHA-256 of the beginning, up to an offset; nil if it is not known.
func (w *recorder) sum(u *upload) (hash.Hash, int64) {
	if u.parts != nil {
		u.parts.wait()
	}
	state := w.state()
	off := u.sizes.end(w.hashed)
	sha := sha256.New()
	m, ok := sha.(encoding.BinaryUnmarshaler)
	if state == nil || !ok || off < u.gone || m.UnmarshalBinary(state) != nil {
		return nil, 0
	}
	return sha, off
}

// write puts the record in the place of the one that this upload knows. Where another
// has taken or dropped that, it fails.
func (w *recorder) write(ctx context.Context, u *upload, r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if !w.held {
		if err := u.b.node.hold(ctx); err != nil {
			return err
		}
		w.held = true
	}
	c := condition{match: w.etag, absent: w.etag == ""}
	a, out := u.b.store.put(ctx, w.key, bodyOfText(text), nil, c)
	if c.absent && !out.unsure && isUnmet(out.err) && !u.b.has.overMarkers {
		// Such a store takes a record that was removed for one that is there.
		if now := u.b.recordAt(ctx, w.key); now.err == nil && now.etag == "" {
			a, out = u.b.store.put(ctx, w.key, bodyOfText(text), nil, condition{})
		}
	}
	if out.err == nil {
		w.etag, w.mine = a.etag, true
		return nil
	}
	if out.unsure {
		now := u.b.readRecord(ctx, r.Owner, r.Name)
		if now.etag != "" && now.Node == r.Node && now.ID == r.ID {
			w.etag, w.mine = now.etag, true
			return nil
		}
	}
	w.mine = false
	return out.err
}

// drop removes the record. It is false if another goes on with the upload, whose parts
// then are not ours any more. It waits for parts that are being sent.
func (w *recorder) drop(u *upload) (ours bool) {
	if u.parts != nil {
		u.parts.wait()
	}
	wasOn := w.on || w.mine
	w.on = false
	if !wasOn || w.key == "" {
		return !w.lost(u)
	}
	ctx, cancel := u.b.after()
	defer cancel()
	ours = true
	if w.mine {
		out := u.b.store.remove(ctx, w.key, condition{match: w.etag})
		if isUnmet(out.err) {
			ours = !w.lost(u)
		}
		w.mine = false
	}
	if w.tail != "" && ours {
		u.b.store.removeHidden(ctx, w.tail)
	}
	return ours
}

// lost tells whether another has taken the upload over.
func (w *recorder) lost(u *upload) bool {
	if w.key == "" || u.parts == nil || u.parts.uploadID() == "" {
		return false
	}
	ctx, cancel := u.b.after()
	defer cancel()
	now := u.b.readRecord(ctx, u.o.Owner, w.name)
	return now.etag != "" && now.Upload == u.parts.uploadID() && now.Node != u.b.node.id
}

// release lets go of the node.
func (w *recorder) release(u *upload) {
	if w.held {
		w.held = false
		u.b.node.release()
	}
}
