// Package quarantine keeps what gates have refused, until an operator releases or drops
// it, and what they have yet to judge: a folder with two files for each, the content and
// what is known of it. No client reads it.
//
//	quarantine.go  Folder: what is kept, and how
//	held.go        what waits for its verdict
//	owner.go       which of several servers judges it
package quarantine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shelf/vfs/local/filelock"
)

// Item is what is known of a file. Name and Reason may hold anything.
type Item struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"` // when it was refused; of one that waits, when it came
	Library string    `json:"library"`
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Size    int64     `json:"size"` // bytes
	SHA256  string    `json:"sha256"`
	Reason  string    `json:"reason"`

	Held *Held `json:"held,omitempty"` // it waits for its verdict; nil is that it was refused
}

// Folder holds such files. It is safe for concurrent use.
type Folder struct {
	root *os.Root
	dir  *os.File     // the same folder
	sync func() error // has the names in it be on disk
	self string       // the id of this server, see owner.go

	room     sync.Mutex                // held while items are dropped for others; taken before mu
	mu       sync.Mutex                // held while something gets its place or is removed, and never over a copy or a list
	underway map[string]Item           // what is being copied, by id; mu
	owned    map[string]*filelock.Lock // the servers whose uploads are this one's, with the locks that show it; mu

	looked atomic.Bool // for uploads whose server has no lock
}

// The names of the two files of an item, behind its id, and that of the second until
// it is whole.
const (
	content = ".content"
	known   = ".json"
	written = ".new"
)

// orphaned is how long nothing was written to a file without an item before it is
// removed: another server with the same folder may still write it.
const orphaned = time.Hour

var isID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// Open opens the folder, which is made if need be. What a server that was killed has
// left half done is removed.
func Open(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	f := &Folder{root: root, self: rand.Text(), underway: make(map[string]Item), owned: make(map[string]*filelock.Lock)}
	if f.dir, err = root.Open("."); err == nil {
		f.sync = f.dir.Sync
		err = f.sweep(time.Now().Add(-orphaned))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes files that belong to no item, and were last written before a time. No
// list shows them, and quarantine_max does not count them.
func (f *Folder) sweep(before time.Time) error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, kind, _ := strings.Cut(e.Name(), ".")
		if kind = "." + kind; !isID.MatchString(id) || kind != content && kind != known && kind != written {
			continue
		}
		if i, err := e.Info(); err != nil || !i.ModTime().Before(before) || kind != written && !f.isOrphan(id) {
			continue
		}
		if err := f.root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isOrphan tells whether nothing is known of an id. That a disk does not give what is
// known is no reason to remove it.
func (f *Folder) isOrphan(id string) bool {
	_, err := f.item(id)
	broken := (*fs.PathError)(nil)
	return err != nil && (errors.Is(err, fs.ErrNotExist) || !errors.As(err, &broken))
}

// Close closes the folder. What waits here is for the next server.
func (f *Folder) Close() error {
	f.leaveAll()
	if f.dir != nil {
		f.dir.Close()
	}
	return f.root.Close()
}

// Keep copies a refused file here. Items of its library are dropped, the oldest first,
// until all of them have at most max bytes; what is larger than that is not kept. It
// returns the item with its id, size and digest, and those that were dropped. Others
// need not wait for the copy, which ends with ctx.
func (f *Folder) Keep(ctx context.Context, i Item, from io.Reader, max int64) (_ Item, dropped []Item, err error) {
	i.ID, i.Time = rand.Text(), time.Now().UTC()
	if dropped, err = f.reserve(i, max); err != nil {
		return i, dropped, err
	}
	sum := sha256.New()
	// No more than there is room for.
	i.Size, err = f.write(i.ID+content, io.TeeReader(io.LimitReader(until{ctx, from}, i.Size), sum))
	i.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err == nil {
		err = f.describe(i)
	}
	return i, dropped, f.settle(i.ID, err)
}

// describe writes what is known of an item, which settle makes count.
func (f *Folder) describe(i Item) error {
	f.root.Remove(i.ID + written) // that a server has left which was killed
	text, err := json.Marshal(i)
	if err == nil {
		_, err = f.write(i.ID+written, bytes.NewReader(text))
	}
	return err
}

// until reads until ctx ends.
type until struct {
	ctx  context.Context
	from io.Reader
}

func (u until) Read(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.from.Read(b)
}

// reserve makes room for an item.
func (f *Folder) reserve(i Item, max int64) (dropped []Item, err error) {
	f.room.Lock()
	defer f.room.Unlock()
	if dropped, err = f.makeRoom(i.Library, i.Size, max); err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.underway[i.ID] = i
	}
	return dropped, err
}

// settle makes an item of what was copied, or removes it if that has failed.
func (f *Folder) settle(id string, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.underway, id)
	if err == nil {
		err = errors.Join(f.root.Rename(id+written, id+known), f.sync())
	}
	if err != nil {
		f.root.Remove(id + written)
		f.root.Remove(id + known)
		f.root.Remove(id + content)
	}
	return err
}

// maxRefused is how many refused items a library may have: small ones would take all names
// of the disk before their bytes are at most what they may be.
const maxRefused = 10000

// makeRoom drops refused items of a library until size bytes more are at most max. What is
// being copied cannot be dropped. room is held, and mu not: thousands may be looked at, and
// uploads need not wait for that.
func (f *Folder) makeRoom(library string, size, max int64) (dropped []Item, err error) {
	if size > max {
		return nil, fmt.Errorf("it has %d bytes, and quarantine_max is %d", size, max)
	}
	f.mu.Lock()
	underway := maps.Clone(f.underway)
	f.mu.Unlock()
	files := 1
	for _, i := range underway {
		if i.Library == library {
			size, files = size+i.Size, files+1
		}
	}
	if size > max {
		return nil, errors.New("others that are being kept now take all of quarantine_max")
	}
	all, err := f.List()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i Item) bool {
		_, counted := underway[i.ID]
		return i.Library != library || i.Held != nil || counted
	})
	for _, i := range all {
		size, files = size+i.Size, files+1
	}
	for _, i := range all { // the oldest first
		if size <= max && files <= maxRefused {
			break
		}
		if err := f.remove(i.ID); err != nil {
			return dropped, err
		}
		size, files = size-i.Size, files-1
		dropped = append(dropped, i)
	}
	return dropped, nil
}

// write makes a file, and has it on disk.
func (f *Folder) write(name string, from io.Reader) (n int64, err error) {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(file, from)
	return n, errors.Join(err, file.Sync(), file.Close())
}

// List is what is here, the oldest first.
func (f *Folder) List() (all []Item, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), known); ok && isID.MatchString(id) {
			// One that can't be read was being written when power failed.
			if i, err := f.item(id); err == nil {
				all = append(all, i)
			}
		}
	}
	slices.SortFunc(all, func(a, b Item) int { return a.Time.Compare(b.Time) })
	return all, nil
}

func (f *Folder) item(id string) (i Item, err error) {
	text, err := f.root.ReadFile(id + known)
	if err == nil {
		err = json.Unmarshal(text, &i)
	}
	if err == nil && i.ID != id {
		err = errors.New("it says another id")
	}
	return i, err
}

// ErrUnknown is that there is no such item.
var ErrUnknown = errors.New("there is nothing of that id in quarantine")

// Open opens the content of an item.
func (f *Folder) Open(id string) (Item, *os.File, error) {
	if !isID.MatchString(id) {
		return Item{}, nil, ErrUnknown
	}
	i, err := f.item(id)
	if err != nil {
		return i, nil, ErrUnknown
	}
	file, err := f.root.Open(id + content)
	return i, file, err
}

// Drop removes an item, and tells what it was.
func (f *Folder) Drop(id string) (Item, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !isID.MatchString(id) {
		return Item{}, ErrUnknown
	}
	i, err := f.item(id)
	if err != nil {
		return i, ErrUnknown
	}
	return i, f.remove(id)
}

// remove takes what is known first: content alone is no item. Another server with the
// same state folder may have done it. It is synced, or what was published, or removed by
// its account, would wait again after a power cut.
func (f *Folder) remove(id string) error {
	for _, name := range []string{id + known, id + content} {
		if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.sync()
}
