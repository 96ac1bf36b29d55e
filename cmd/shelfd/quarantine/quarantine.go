// Package quarantine keeps what gates have refused, until an operator releases or drops
// it: a folder with two files for each, the content and what is known of it. No client
// reaches it.
package quarantine

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Item is what is known of a refused file. Name and Reason may hold anything.
type Item struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"` // when it was refused
	Library string    `json:"library"`
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Size    int64     `json:"size"` // bytes
	SHA256  string    `json:"sha256"`
	Reason  string    `json:"reason"`
}

// Folder holds refused files. It is safe for concurrent use.
type Folder struct {
	root *os.Root
	mu   sync.Mutex // held while something is added or removed
}

// The names of the two files of an item, behind its id.
const (
	content = ".content"
	known   = ".json"
)

var isID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// Open opens the folder, which is made if need be.
func Open(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Folder{root: root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Keep copies a refused file here. Items of its library are dropped, the oldest first,
// until all of them have at most max bytes; what is larger than that is not kept. It
// returns the item with its id, size and digest, and those that were dropped.
func (f *Folder) Keep(i Item, from io.Reader, max int64) (_ Item, dropped []Item, err error) {
	i.ID, i.Time = rand.Text(), time.Now().UTC()
	f.mu.Lock()
	defer f.mu.Unlock()
	if dropped, err = f.makeRoom(i.Library, i.Size, max); err != nil {
		return i, dropped, err
	}
	sum := sha256.New()
	i.Size, err = f.write(i.ID+content, io.TeeReader(from, sum))
	i.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err == nil {
		var text []byte
		if text, err = json.Marshal(i); err == nil {
			_, err = f.write(i.ID+known, strings.NewReader(string(text)))
		}
	}
	if err != nil {
		f.root.Remove(i.ID + known)
		f.root.Remove(i.ID + content)
	}
	return i, dropped, err
}

// makeRoom drops items of a library until size bytes more are at most max.
func (f *Folder) makeRoom(library string, size, max int64) (dropped []Item, err error) {
	if size > max {
		return nil, fmt.Errorf("it has %d bytes, and quarantine_max is %d", size, max)
	}
	all, err := f.List()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i Item) bool { return i.Library != library })
	for _, i := range all {
		size += i.Size
	}
	for _, i := range all { // the oldest first
		if size <= max {
			break
		}
		if err := f.remove(i.ID); err != nil {
			return dropped, err
		}
		size -= i.Size
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
			// One that can't be read is being written, or was when the server was killed.
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
// same state folder may have done it.
func (f *Folder) remove(id string) error {
	for _, name := range []string{id + known, id + content} {
		if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
