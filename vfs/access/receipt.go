package access

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io/fs"

	"shelf/vfs"
)

// Receipts gives receipts of uploads, from where events are recorded.
type Receipts interface {
	// Last is the last upload that a file of a library has its name from: by an
	// account or, for "", by anybody. The error is fs.ErrNotExist if no record of one
	// is left. It takes the [vfs.Turns] of ctx.
	Last(ctx context.Context, library, name, account string) (Uploaded, error)
}

// Uploaded is what was recorded of an upload.
type Uploaded struct {
	Size    int64
	SHA256  []byte // nil is not known
	Version string // of the file after it, as [vfs.Version.String] has it

	// Receipt signs what was recorded; sum is the SHA-256. What was replaced may be
	// the file of another account: only with replaced does the receipt tell of it.
	Receipt func(sum []byte, replaced bool) (Receipt, error)
}

// Receipt says what the server has got, from whom and when.
type Receipt struct {
	Text      []byte // a line of JSON
	Signature []byte // of Text, by the host key, as "ssh-keygen -Y sign" writes it
}

// Receipt is that of a file. Who may read it gets the one of the file as it is now.
// Who may not gets the one of the last upload of the own account, whatever has become
// of it since; and so does everybody when there is no file any more.
func (s *Session) Receipt(path string) (r Receipt, err error) {
	s.open.Add(1)
	defer s.open.Add(-1)
	op := s.begin(toReceive, path)
	defer op.finish(&err)
	if s.receipts == nil {
		return r, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this server keeps no audit log, and without one it gives no receipts; its operator can set audit_log"}
	}
	at, f, err := s.openPublished(path)
	if err != nil {
		return r, err
	}
	if f != nil {
		defer f.Close()
	}
	if s.isWaiting(at) {
		return r, noReceipt("the last upload of that name waits for the verdict of a check; try again later")
	}
	if f != nil && at.in.allow(toReceive) {
		return s.receiptOfFile(at, f)
	}
	return s.receiptOfUpload(at, f)
}

// openPublished opens the file that is published under a name; nil is that there is
// none.
func (s *Session) openPublished(path string) (at place, f vfs.File, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	if at, err = s.file(path); err == nil {
		err = at.in.goneError()
	}
	if err != nil {
		return at, nil, err
	}
	f, err = at.in.Open(s.ctx, at.name)
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil, nil
	}
	return at, f, err
}

// receiptOfFile is the receipt of the upload that has made the file what it is.
func (s *Session) receiptOfFile(at place, f vfs.File) (r Receipt, err error) {
	anybody := ""
	if at.in.own { // the label is that of the libraries of others, too
		anybody = s.account
	}
	u, err := s.receipts.Last(s.asking, at.in.label, at.name, anybody)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, noReceipt("the audit log that is searched has no line of the upload of this file")
	case err != nil:
		return r, err
	}
	sum, same, err := s.isStill(f, u)
	switch {
	case err != nil:
		return r, err
	case !same:
		return r, noReceipt("the file was changed since it was uploaded, or that upload has no line in the audit log")
	}
	return u.Receipt(sum, true)
}

// receiptOfUpload is the receipt of the last upload of the account. The file tells its
// SHA-256 if that was not recorded, and if it is still the same. What it replaced is
// not for who may not read.
func (s *Session) receiptOfUpload(at place, f vfs.File) (r Receipt, err error) {
	u, err := s.receipts.Last(s.asking, at.in.label, at.name, s.account)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, noReceipt("the audit log that is searched has no line of an upload of that name by this account")
	case err != nil:
		return r, err
	case u.SHA256 != nil:
		return u.Receipt(u.SHA256, at.in.allow(toReceive))
	}
	same, sum := false, []byte(nil)
	if f != nil {
		sum, same, err = s.isStill(f, u)
	}
	if err == nil && !same {
		err = noReceipt(`the SHA-256 of that upload was not recorded; its operator can set audit_sha256 = "always"`)
	}
	if err != nil {
		return r, err
	}
	return u.Receipt(sum, at.in.allow(toReceive))
}

// isStill tells whether a file is what was uploaded, and its SHA-256. The same version
// is the same content. Otherwise the digest decides: attributes may have changed.
func (s *Session) isStill(f vfs.File, u Uploaded) (sum []byte, same bool, err error) {
	i, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	version := i.Version.String() == u.Version
	switch {
	case version && u.SHA256 != nil:
		return u.SHA256, true, nil
	case !version && (u.SHA256 == nil || i.Size != u.Size):
		return nil, false, nil
	}
	sum, _, err = s.digestOf(f, crypto.SHA256)
	return sum, version || bytes.Equal(sum, u.SHA256), err
}

func noReceipt(why string) error { return &vfs.Error{Kind: fs.ErrNotExist, Why: "no receipt: " + why} }
