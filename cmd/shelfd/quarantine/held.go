package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"time"

	"shelf/vfs"
)

// Held is what is known of an upload that its client was told is done, and that nobody
// has judged yet.
type Held struct {
	Server string     `json:"server"` // that judges it; see owner.go
	Order  int64      `json:"order"`  // of two uploads of one name the lower is published first
	From   vfs.Origin `json:"from"`
	Own    bool       `json:"own,omitempty"`     // other accounts have other libraries by that label
	Bytes  int64      `json:"bytes"`             // that its client has written
	Change bool       `json:"replace,omitempty"` // it may replace a file

	Mode  fs.FileMode `json:"mode,omitempty"` // that was asked for a new file
	Set   fs.FileMode `json:"set,omitempty"`  // that was set; 0 is none
	Atime time.Time   `json:"atime,omitzero"` // these were set, too
	Mtime time.Time   `json:"mtime,omitzero"`

	// Publishing is that the library may have it already, if the server was killed.
	Publishing bool `json:"publishing,omitempty"`
}

// Add copies an upload here. When it returns, the upload survives a crash. Others need
// not wait for the copy.
func (f *Folder) Add(ctx context.Context, i Item, from io.Reader) (_ Item, err error) {
	if err := f.show(); err != nil {
		return i, err
	}
	i.Held.Server = f.self
	// Not through until: the kernel copies from file to file.
	n, err := f.write(i.ID+content, from)
	switch {
	case err != nil:
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case n != i.Size:
		err = io.ErrUnexpectedEOF
	default:
		err = f.describe(i)
	}
	return i, f.settle(i.ID, err)
}

// Update writes down anew what is known of an item.
func (f *Folder) Update(i Item) error {
	if err := f.describe(i); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.root.Rename(i.ID+written, i.ID+known), f.sync())
}

// Refuse makes an item that has waited one that was refused. As with Keep others are
// dropped for it; if there is no room the item stays as it is.
func (f *Folder) Refuse(i Item, reason string, max int64) (dropped []Item, err error) {
	if i.SHA256 == "" {
		if i.SHA256, err = f.digest(i.ID); err != nil {
			return nil, err
		}
	}
	i.Held, i.Reason, i.Time = nil, reason, time.Now().UTC()
	f.room.Lock()
	defer f.room.Unlock()
	if dropped, err = f.makeRoom(i.Library, i.Size, max); err != nil {
		return dropped, err
	}
	return dropped, f.Update(i)
}

func (f *Folder) digest(id string) (string, error) {
	file, err := f.root.Open(id + content)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return hex.EncodeToString(sum.Sum(nil)), err
}
