package gates

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/held"
	"shelf/cmd/shelfd/quarantine"
	"shelf/vfs"
	"shelf/vfs/access"
)

func (s *Set) newQueue(p *held.Publisher) *held.Queue {
	return held.New(held.Options{
		Folder: s.kept, Judge: s.judgeHeld, Rules: s.rulesFor, Log: s.log,
		Publish: p.Publish, Published: p.Published, Refused: p.Refused,
		Settles: access.IsTemporary, Settling: settling,
	})
}

// Queue is what waits for its verdict; nil is nothing.
func (s *Set) Queue() *held.Queue {
	if s == nil {
		return nil
	}
	return s.queue
}

// rulesOf are those of a library.
func rulesOf(l config.Library, quarantine int64) held.Rules {
	return held.Rules{
		Scans: l.Gate.MaxScans.N, Max: l.Gate.HoldMax.Bytes, Quarantine: quarantine,
		Quota: l.Quota.Bytes, Files: int64(*l.MaxFiles), OfAccount: l.AccountQuota.Bytes,
	}
}

// LargestHeld is the largest file that a gate holds, in bytes.
func LargestHeld(g config.Gate) int64 { return held.Rules{Max: g.HoldMax.Bytes}.Largest() }

// rulesFor are those of a library now. One that has no gate any more takes nothing.
func (s *Set) rulesFor(library string) held.Rules {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules[library]
}

// judgeHeld asks the gate of a library about what has waited.
func (s *Set) judgeHeld(ctx context.Context, i quarantine.Item, file *os.File) (string, error) {
	g := s.Of(i.Library)
	if g == nil {
		return "", errors.New("the library has no gate any more; release the file, or drop it")
	}
	return g.Gate.Judge(ctx, i.Account, vfs.Staged{Name: i.Name, Size: i.Size, Content: file, Open: func() (*os.File, error) {
		_, again, err := s.kept.Open(i.ID)
		return again, err
	}})
}

// Holds implements [access.Holder].
func (g *Gate) Holds(account, name string) bool {
	q := g.set.queue
	return q != nil && (g.holds || q.Waits(g.library, account, name))
}

// Hold implements [access.Holder].
func (g *Gate) Hold(ctx context.Context, u access.Upload, s vfs.Staged) (string, error) {
	if s.Open == nil {
		return "", &vfs.Error{Kind: vfs.ErrUnsupported, Why: "the library has no file to be held"}
	}
	file, err := s.Open()
	if err != nil {
		return "", vfs.SystemError("open a stage", err)
	}
	defer file.Close()
	h := &quarantine.Held{From: u.From, Own: u.Own, Bytes: u.Bytes, Change: u.Replace, Mode: u.Mode}
	if u.Attr.HasMode {
		h.Set = vfs.FileMode(u.Attr.Mode)
	}
	if u.Attr.HasTimes {
		h.Atime, h.Mtime = u.Attr.Atime, u.Attr.Mtime
	}
	i := quarantine.Item{Library: g.library, Account: u.Account, Name: s.Name, Size: s.Size, SHA256: hex.EncodeToString(u.SHA256), Held: h}
	id, err := g.set.queue.Hold(ctx, i, file, u.Charged)
	return id, vfs.SystemError("hold an upload", err)
}

// settling is how long a client has to rename a temporary file. It is judged then if it
// was not renamed, and otherwise once alone.
const settling = 10 * time.Second

// Begin implements [access.Holder].
func (g *Gate) Begin(id string) { g.set.queue.Begin(id) }

// Held implements [access.Holder].
func (g *Gate) Held(account, name string) (vfs.Info, error) {
	if g.set.queue == nil {
		return vfs.Info{}, vfs.NotExist()
	}
	return g.set.queue.Held(g.library, account, name)
}

// OpenHeld implements [access.Holder].
func (g *Gate) OpenHeld(account, name string) (vfs.File, error) {
	return g.set.queue.Open(g.library, account, name)
}

// SetHeld implements [access.Holder].
func (g *Gate) SetHeld(ctx context.Context, account, name string, a vfs.Attr) error {
	return g.set.queue.Set(ctx, g.library, account, name, a)
}

// RenameHeld implements [access.Holder].
func (g *Gate) RenameHeld(ctx context.Context, account, old, new string, replace bool) error {
	return g.set.queue.Rename(ctx, g.library, account, old, new, replace)
}

// DropHeld implements [access.Holder].
func (g *Gate) DropHeld(ctx context.Context, account, name string) error {
	return g.set.queue.Drop(ctx, g.library, account, name)
}
