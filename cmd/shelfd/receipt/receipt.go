// Package receipt gives receipts: what the server has got from whom and when, signed
// with the host key. The line of the upload in the audit log is what a receipt says;
// nothing else is kept for that. docs/audit.md tells of every field.
package receipt

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/audit"
	"shelf/keys/sshsig"
	"shelf/vfs"
	"shelf/vfs/access"
)

// Office gives receipts. It implements access.Receipts, and is safe for concurrent
// use.
type Office struct {
	lines  *audit.Published
	signer atomic.Pointer[ssh.Signer]
}

// New makes an Office for what the audit log of a path has.
func New(path string) *Office { return &Office{lines: audit.NewPublished(path)} }

// SetSigner sets the key that receipts are signed with from now on.
func (o *Office) SetSigner(key ssh.Signer) { o.signer.Store(&key) }

// namespace is what receipts are signed for.
const namespace = "receipt@shelf"

// Receipt is what is signed.
type Receipt struct {
	Server   string      `json:"server"`
	Account  string      `json:"account"`
	Key      string      `json:"key,omitempty"`
	Library  string      `json:"library"`
	Name     string      `json:"name"`
	PutAs    string      `json:"put_as,omitempty"` // the name before it was renamed
	Size     int64       `json:"size"`
	SHA256   string      `json:"sha256"`
	Replaced *Replaced   `json:"replaced,omitempty"`
	Seq      uint64      `json:"seq"`
	Time     audit.Stamp `json:"time"`
}

// Replaced is what had the name before.
type Replaced struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
}

// maxRenames is how many names back an upload is looked for.
const maxRenames = 8

// Last implements access.Receipts.
func (o *Office) Last(ctx context.Context, library, name, account string) (access.Uploaded, error) {
	w := audit.Wanted{Library: library, Name: vfs.Escape(name), Account: vfs.Escape(account)}
	given, err := o.lines.Last(ctx, w)
	put := given
	for n := 0; err == nil && put.Op == audit.OpRename; n++ {
		if n == maxRenames {
			return access.Uploaded{}, fs.ErrNotExist
		}
		w.Name, w.Before = put.Name, put.Seq
		put, err = o.lines.Last(ctx, w)
	}
	switch {
	case errors.Is(err, audit.ErrNoLine), err == nil && (put.Op != audit.OpPut || put.Size == nil):
		return access.Uploaded{}, fs.ErrNotExist
	case err != nil:
		return access.Uploaded{}, unreadable(ctx, err)
	}
	if account != "" && given.Op == audit.OpRename && isAnother(given, put) {
		return access.Uploaded{}, fs.ErrNotExist
	}
	u := access.Uploaded{Size: *put.Size, Version: given.Version}
	if sum, err := hex.DecodeString(put.SHA256); err == nil && len(sum) > 0 {
		u.SHA256 = sum
	}
	if given.Op == audit.OpRename && (u.SHA256 == nil || given.SHA256 != put.SHA256) {
		u.Version = "" // between the upload and the rename the file may have been changed
	}
	u.Receipt = func(sum []byte, replaced bool) (access.Receipt, error) {
		r := of(put, given, sum)
		if !replaced {
			r.Replaced = nil
		}
		return o.sign(r)
	}
	return u, nil
}

// isAnother tells whether a rename was of another content than was uploaded: somebody
// had replaced the file before. Where the log does not tell, it is not.
func isAnother(rename, put audit.Line) bool {
	return rename.SHA256 != "" && put.SHA256 != "" && rename.SHA256 != put.SHA256 || rename.Size != nil && *rename.Size != *put.Size
}

// unreadable is what a client reads when the log could not be searched.
func unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &vfs.Error{Kind: vfs.ErrCut, Why: "the client is gone"}
	}
	return &vfs.Error{Kind: vfs.ErrIO, Why: "the server cannot read its audit log", Err: err}
}

// of is the receipt of an upload that got the name that was asked for by the line
// given, which may be a rename.
func of(put, given audit.Line, sum []byte) Receipt {
	r := Receipt{
		Server: put.Host, Account: put.Account, Key: put.Key, Library: put.Library, Name: put.Name,
		Size: *put.Size, SHA256: hex.EncodeToString(sum), Seq: put.Seq, Time: put.Time,
	}
	if given.Op == audit.OpRename {
		r.Name, r.PutAs = given.Target, put.Name
	}
	if was := given.Replaced; was != nil {
		r.Replaced = &Replaced{was.Size, was.SHA256}
	}
	return r
}

// sign writes a receipt down. The same receipt is the same text again, so that its
// signature can be asked for apart.
func (o *Office) sign(r Receipt) (access.Receipt, error) {
	key := *o.signer.Load()
	if key == nil {
		return access.Receipt{}, &vfs.Error{Kind: vfs.ErrIO, Why: "the server has no host key to sign with"}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return access.Receipt{}, err
	}
	signature, err := sshsig.Sign(key, namespace, text.Bytes())
	if err != nil {
		return access.Receipt{}, &vfs.Error{Kind: vfs.ErrIO, Why: "the server cannot sign the receipt", Err: err}
	}
	return access.Receipt{Text: text.Bytes(), Signature: []byte(sshsig.Armor(signature))}, nil
}
