package access_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
)

// gate refuses what has the word evil in it.
type gate struct{ asked []string } // names and contents

func (g *gate) Judge(_ context.Context, account string, s vfs.Staged) (string, error) {
	text := make([]byte, s.Size)
	s.Content.ReadAt(text, 0)
	g.asked = append(g.asked, account+" "+s.Name+"="+string(text))
	if strings.Contains(string(text), "evil") {
		return vfs.GateRefused, &vfs.Error{Kind: fs.ErrPermission, Why: "evil"}
	}
	return vfs.GatePassed, nil
}

// gated is a session at a library with a gate, over temporaries.
func (r *temporaries) gated(g access.Gate, names ...access.Names) *access.Session {
	return access.New(context.Background(), access.Options{
		Account: "ada", Temporaries: r.held,
		Shares: map[string]access.Share{"": {Source: access.Opened(r.lib), Permissions: editor(), Gate: g, Names: names}},
		Report: func(e vfs.Event) error {
			r.events = append(r.events, e)
			return nil
		},
	})
}

// replace uploads a text in the place of what has the name, and closes it.
func replace(s *access.Session, name, text string) error {
	w, err := s.Create(name, access.Replace(0))
	if err != nil {
		return err
	}
	_, err = w.WriteAt([]byte(text), 0)
	return errors.Join(err, w.Commit())
}

// TestGateJudgesWhateverIsPublished takes each way on which content gets a name.
func TestGateJudgesWhateverIsPublished(t *testing.T) {
	for _, way := range []struct {
		name string
		go_  func(s *access.Session, text string) error
		want []string // with a text that passes
	}{
		{"a new file", func(s *access.Session, text string) error { return replace(s, "new", text) }, []string{"a=old", "new=good"}},
		{"over a file", func(s *access.Session, text string) error { return replace(s, "a", text) }, []string{"a=good"}},
		{"renamed before CLOSE", func(s *access.Session, text string) error {
			w, err := s.Create("new", access.Replace(0))
			if err == nil {
				_, err = w.WriteAt([]byte(text), 0)
			}
			return errors.Join(err, s.Rename("new", "newer", false), w.Commit())
		}, []string{"a=old", "newer=good"}},
		{"WinSCP's temporary name", func(s *access.Session, text string) error {
			if err := replace(s, "a.filepart", text); err != nil {
				return err // CLOSE says it
			}
			return errors.Join(s.Remove("a"), s.Rename("a.filepart", "a", false))
		}, []string{"a=good"}},
		{"a held file after which the session ends", func(s *access.Session, text string) error {
			defer s.End()
			return replace(s, "a.part", text)
		}, []string{"a=old", "a.part=good"}},
		{"GNOME's hidden name", func(s *access.Session, text string) error {
			if err := replace(s, ".giosave123456", text); err != nil {
				return errors.New("CLOSE knows already")
			}
			return s.Rename(".giosave123456", "a", true)
		}, []string{"a=good"}},
		{"a size by name", func(s *access.Session, text string) error {
			if err := replace(s, "long", text+"?????"); err == nil {
				return s.SetAttr("long", vfs.Attr{HasSize: true, Size: int64(len(text))})
			} else {
				return err
			}
		}, []string{"a=old", "long=good"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			r, g := newTemporaries(t), &gate{}
			s := r.gated(g)
			if err := way.go_(s, "evil"); err == nil || !strings.Contains(err.Error(), "evil") || !errors.Is(err, fs.ErrPermission) {
				t.Errorf("what is refused: %v", err)
			}
			s.End()
			r.holds("a=old")
			if i := slices.IndexFunc(r.events, func(e vfs.Event) bool { return e.Gate != "" }); i < 0 || r.events[i].Gate != vfs.GateRefused || vfs.ResultOf(r.events[i].Err) != vfs.ResultRefused {
				t.Errorf("the events are %+v", r.events)
			}

			r, g = newTemporaries(t), &gate{}
			s = r.gated(g)
			if err := way.go_(s, "good"); err != nil {
				t.Error(err)
			}
			s.End()
			r.holds(way.want...)
			for i, one := range g.asked { // once for each content
				if slices.Contains(g.asked[:i], one) {
					t.Errorf("asked were %q", g.asked)
				}
			}
		})
	}
}

// TestGateJudgesTheLastName asks again if a held upload gets another name than the one
// it was judged under, and not if it gets that.
func TestGateJudgesTheLastName(t *testing.T) {
	r, g := newTemporaries(t), &gate{}
	s := r.gated(refusePDF{g})
	if err := errors.Join(replace(s, "a.part", "good"), s.Rename("a.part", "a", true)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"ada a=good"}; !slices.Equal(g.asked, want) {
		t.Errorf("asked were %q", g.asked)
	}
	if err := replace(s, "a.part", "no PDF"); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename("a.part", "x.pdf", false); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another name than the one that was meant: %v", err)
	}
	s.End()
	r.holds("a=good")
}

// refusePDF refuses by the name.
type refusePDF struct{ *gate }

func (g refusePDF) Judge(ctx context.Context, account string, s vfs.Staged) (string, error) {
	if strings.HasSuffix(s.Name, ".pdf") {
		return vfs.GateRefused, &vfs.Error{Kind: fs.ErrPermission, Why: "no PDF"}
	}
	return g.gate.Judge(ctx, account, s)
}

// TestSmallerSizeIsJudged cuts a file that has passed: what is left may be what the
// gate refuses.
func TestSmallerSizeIsJudged(t *testing.T) {
	r, g := newTemporaries(t), &gate{}
	s := r.gated(refuseShort{g})
	if err := replace(s, "x", "ev, and a lot more"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetAttr("x", vfs.Attr{HasSize: true, Size: 2}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("cut by name: %v", err)
	}
	w, err := s.Create("x", access.Flags{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetAttr(vfs.Attr{HasSize: true, Size: 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("cut by handle: %v", err)
	}
	r.holds("a=old", "x=ev, and a lot more")

	// One that waits for RENAME has passed, and is cut by name then.
	if err := replace(s, "a.part", "ev, and a lot more"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetAttr("a.part", vfs.Attr{HasSize: true, Size: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename("a.part", "a", true); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("cut while it waited: %v", err)
	}
	r.holds("a=old", "x=ev, and a lot more")
}

type refuseShort struct{ *gate }

func (g refuseShort) Judge(ctx context.Context, account string, s vfs.Staged) (string, error) {
	if s.Size == 2 {
		return vfs.GateRefused, &vfs.Error{Kind: fs.ErrPermission, Why: "too short"}
	}
	return vfs.GateUnchecked, nil
}

// TestGateChangesWithAReload judges an upload under way by the gate of now.
func TestGateChangesWithAReload(t *testing.T) {
	r := newTemporaries(t)
	source := access.Opened(r.lib)
	share := access.Share{Source: source, Permissions: editor(), Gate: &gate{}}
	o := access.Options{Account: "ada", Temporaries: r.held, Shares: map[string]access.Share{"": share}}
	s := access.New(context.Background(), o)
	w, err := s.Create("x", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteAt([]byte("ok"), 0); err != nil {
		t.Fatal(err)
	}
	share.Gate = refuseShort{}
	s.Change(access.Options{Shares: map[string]access.Share{"": share}})
	if err := w.Commit(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("by the gate of now: %v", err)
	}
}
