package held

import (
	"cmp"
	"context"
	"crypto"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"shelf/cmd/shelfd/quarantine"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
)

// Publisher publishes what waited, each as an upload of its account, by what the account
// may do then.
type Publisher struct {
	// Shares are what an account is served now. An error of which Again is false is that
	// the account is served nothing any more.
	Shares func(account string) (map[string]access.Share, error)

	Report func(sshd.Event) error
	Ready  func() error
	Sums   func() *access.Sums
	Log    *slog.Logger
}

// verdict is the gate of an upload that another has let in.
type verdict string

func (v verdict) Judge(context.Context, string, vfs.Staged) (string, error) { return string(v), nil }

// share is the library of what waited, as its account has it now.
func (p *Publisher) share(i quarantine.Item) (access.Share, error) {
	shares, err := p.Shares(i.Account)
	if err != nil {
		return access.Share{}, err
	}
	for _, one := range shares {
		if one.Label == i.Library {
			return one, nil
		}
	}
	return access.Share{}, &vfs.Error{Kind: fs.ErrPermission, Why: "this account does not have that library any more"}
}

// Publish uploads what waited to its library; see [Options].
func (p *Publisher) Publish(ctx context.Context, i quarantine.Item, file *os.File, word string) error {
	share, err := p.share(i)
	if err != nil {
		if !Again(err) {
			if unrecorded := p.Refused(i, word, err); unrecorded != nil {
				return unrecorded
			}
		}
		return err
	}
	share.Gate = verdict(word)
	var again error // as the library has said it: what clients read of it does not tell rules from faults
	s := access.New(ctx, access.Options{
		Account: i.Account, Shares: map[string]access.Share{"": share}, Log: p.Log,
		Sums: p.Sums(), Ready: p.Ready,
		Report: func(v vfs.Event) error {
			if Again(v.Err) {
				again = v.Err
				return nil // it is told when it has come to an end
			}
			v.Held, v.Bytes = i.ID, i.Held.Bytes
			return p.Report(sshd.Later(i.Account, i.Held.From, v))
		},
	})
	defer s.End()
	err = upload(s, i, file)
	switch {
	case err == nil:
		return nil
	case again == nil && Again(err):
		// It is done, and its event could not be recorded.
		return &vfs.Error{Kind: vfs.ErrUncertain, Why: "it is published, but the server cannot record it", Err: err}
	}
	return cmp.Or(again, err)
}

func upload(s *access.Session, i quarantine.Item, from io.Reader) error {
	w, err := s.Create("/"+i.Name, access.Flags{Create: true, Truncate: true, Exclusive: !i.Held.Change, Mode: i.Held.Mode})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(w, 0), from)
	if err == nil {
		err = w.SetAttr(AttrOf(i.Held))
	}
	if err != nil {
		w.Abandon("it could not be published")
		return err
	}
	return w.Commit()
}

// AttrOf is what was set of an upload.
func AttrOf(h *quarantine.Held) vfs.Attr {
	return vfs.Attr{HasMode: h.Set != 0, Mode: h.Set, HasTimes: !h.Mtime.IsZero(), Atime: h.Atime, Mtime: h.Mtime}
}

// Published tells whether the library has it; see [Options].
func (p *Publisher) Published(ctx context.Context, i quarantine.Item, file *os.File) bool {
	share, err := p.share(i)
	if err != nil {
		return false
	}
	l, release, err := share.Source.Open(ctx)
	if err != nil {
		return false
	}
	defer release()
	there, err := l.Open(ctx, i.Name)
	if err != nil {
		return false
	}
	defer there.Close()
	if at, err := there.Stat(); err != nil || at.Size != i.Size {
		return false
	}
	one, err := vfs.ReadDigest(ctx, there, crypto.SHA256)
	if err != nil {
		return false
	}
	other, err := vfs.ReadDigest(ctx, file, crypto.SHA256)
	return err == nil && string(one) == string(other)
}

// Refused records that an upload is not published; see [Options].
func (p *Publisher) Refused(i quarantine.Item, word string, why error) error {
	return p.Report(sshd.Later(i.Account, i.Held.From, vfs.Event{
		Op: "put", Library: i.Library, Name: i.Name, Bytes: i.Held.Bytes, Start: time.Now(), Err: why, Gate: word, Held: i.ID,
	}))
}
