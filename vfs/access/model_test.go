package access_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// model is what two sessions at one library should see, said as simply as can
// be. Time is a count of steps. An upload is in the way of its name until it is
// detached: ended, taken off its name, or overtaken.
//
//   - A name is, to its session, the upload that was opened last and is attached.
//   - CLOSE publishes nothing of what was taken off its name.
//   - Nor of what a later upload of the same name has overtaken by publishing,
//     unless it was written to after the latest of those was opened.
//   - Nor of what nothing was written to, if an older one is attached, or there is
//     nothing new in it.
//   - A size that is set by name, while nothing was written to any upload of that
//     name, is that of what is published, and of what they start from.
//   - CLOSE under a hidden name publishes nothing. The upload is held: it is at the
//     bottom of its name, in the place of what is published elsewhere, until
//     that is renamed to a visible name, or gone.
type model struct {
	now     int
	files   map[string]string // what is published
	uploads [2][]*modelUpload // open, in the order of opening; and held
}

type modelUpload struct {
	name      string
	data      string
	wrote     bool // there is something to publish, even without an older upload
	based     bool // it started from something
	excl      bool // CLOSE does not replace
	fresh     bool // nothing was written to it, and it may start anew
	attached  bool
	held      bool // closed under a hidden name
	takenOff  bool
	overtaken bool
	written   int // when
	covered   int // when another was opened over it
}

// attached are a session's uploads that are in the way of a name.
func (m *model) attached(who int, name string) (all []*modelUpload) {
	for _, u := range m.uploads[who] {
		if u.attached && u.name == name {
			all = append(all, u)
		}
	}
	return all
}

func (m *model) top(who int, name string) *modelUpload {
	if all := m.attached(who, name); len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// takeOff has a name stand for something else.
func (m *model) takeOff(who int, name string) {
	for _, u := range m.attached(who, name) {
		if u.attached, u.takenOff = false, true; u.held {
			m.end(who, u)
		}
	}
}

// opened are those that a client has a handle of.
func (m *model) opened(who int) []*modelUpload {
	return slices.DeleteFunc(slices.Clone(m.uploads[who]), func(u *modelUpload) bool { return u.held })
}

func isHidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

func (m *model) open(who int, name string, f access.Flags) (ok bool) {
	top := m.top(who, name)
	data, there := m.files[name]
	if top != nil {
		data, there = top.data, true
	}
	if f.Create && f.Exclusive && there || !there && !f.Create {
		return false
	}
	u := &modelUpload{name: name, attached: true, excl: f.Create && f.Exclusive}
	if there && !f.Truncate {
		u.data, u.based = data, true
	}
	u.wrote, u.fresh = f.Truncate, !f.Truncate && !u.excl && !isHidden(name)
	for _, below := range m.attached(who, name) {
		below.covered = m.now
	}
	m.uploads[who] = append(m.uploads[who], u)
	return true
}

func (m *model) write(u *modelUpload, off int, text string) {
	for len(u.data) < off+len(text) {
		u.data += "\x00"
	}
	u.data = u.data[:off] + text + u.data[off+len(text):]
	u.wrote, u.written, u.fresh = true, m.now, false
}

func (m *model) resize(u *modelUpload, size int) {
	u.data = (u.data + strings.Repeat("\x00", size))[:size]
	u.wrote, u.written, u.fresh = true, m.now, false
}

func (m *model) end(who int, u *modelUpload) {
	u.attached = false
	m.uploads[who] = slices.DeleteFunc(m.uploads[who], func(x *modelUpload) bool { return x == u })
}

func (m *model) close(who int, u *modelUpload) (ok bool) {
	all := m.attached(who, u.name)
	m.end(who, u)
	below := all[:max(0, slices.Index(all, u))]
	switch {
	case u.takenOff, u.overtaken && u.written <= u.covered:
		return true
	case !u.wrote && len(below) > 0, !u.wrote && u.based && !isHidden(u.name):
		return true
	}
	if isHidden(u.name) {
		m.hold(who, u, all, below)
		return true
	}
	if _, there := m.files[u.name]; there && u.excl {
		return false
	}
	m.files[u.name] = u.data
	for _, b := range below {
		b.attached, b.overtaken = false, true
	}
	return true
}

// hold is close of an upload under a hidden name.
func (m *model) hold(who int, u *modelUpload, all, below []*modelUpload) {
	for _, b := range all {
		if b.held {
			m.end(who, b)
		}
	}
	for _, b := range below {
		b.attached, b.overtaken = false, true
	}
	u.held, u.attached = true, true
	m.uploads[who] = append([]*modelUpload{u}, m.uploads[who]...)
}

func (m *model) rename(who int, old, new string, replace bool) (ok bool) {
	if path.Dir(old) != path.Dir(new) {
		return false // another library
	}
	top := m.top(who, old)
	data, there := m.files[old]
	_, taken := m.files[new]
	switch {
	case top == nil && !there && (old == new || replace || m.top(who, new) == nil):
		return false
	case old == new:
		return true
	case isHidden(new) && !isHidden(old):
		return false
	case (taken || m.top(who, new) != nil) && !replace:
		return false
	}
	if there {
		m.files[new] = data
		delete(m.files, old)
	}
	m.takeOff(who, new)
	if top != nil {
		m.takeOff(who, old)
		top.name, top.attached, top.takenOff, top.fresh = new, true, false, false
		top.excl = !replace && !there
		// It was opened last of those of its new name.
		m.end(who, top)
		top.attached = true
		m.uploads[who] = append(m.uploads[who], top)
		if top.held && !isHidden(new) {
			m.end(who, top)
			if top.wrote || !top.based {
				m.files[new] = top.data
			}
		}
	}
	return true
}

func (m *model) remove(who int, name string) (ok bool) {
	_, there := m.files[name]
	ok = there || m.top(who, name) != nil
	delete(m.files, name)
	m.takeOff(who, name)
	return ok
}

func (m *model) setSize(who int, name string, size int) (ok bool) {
	data, there := m.files[name]
	fresh := !slices.ContainsFunc(m.attached(who, name), func(u *modelUpload) bool { return !u.fresh })
	if top := m.top(who, name); top != nil && !(fresh && there) {
		m.resize(top, size)
		return true
	}
	if there {
		m.files[name] = (data + strings.Repeat("\x00", size))[:size]
	}
	for _, u := range m.attached(who, name) {
		u.data, u.based = m.files[name], true
	}
	return there
}

// play drives two sessions and the model with the same steps.
type play struct {
	t        testing.TB
	libs     map[string]vfs.Library // by folder
	names    []string
	model    model
	sessions [2]*access.Session
	held     *access.Temporaries
	writers  map[*modelUpload]*access.Writer
	said     []string // the steps so far
}

// newPlay makes a play in a library that is "/", or in two that are folders of it.
func newPlay(t testing.TB, several bool) *play {
	p := &play{t: t, held: access.NewTemporaries(), model: model{files: make(map[string]string)}, writers: make(map[*modelUpload]*access.Writer)}
	p.libs, p.names = map[string]vfs.Library{"": vfstest.NewMemory()}, []string{"a", "b", "a.b", ".#a"}
	if several {
		p.libs = map[string]vfs.Library{"in": vfstest.NewMemory(), "out": vfstest.NewMemory()}
		p.names = []string{"in/a", "in/b", "out/a", "in/.#a"}
	}
	for who := range p.sessions {
		p.begin(who)
	}
	return p
}

func (p *play) begin(who int) {
	all := make(map[string]access.Share)
	for folder, lib := range p.libs {
		all[folder] = access.Share{Source: access.Opened(lib), Permissions: everything()}
	}
	p.sessions[who] = access.New(context.Background(), access.Options{Shares: all, Account: "ada", Temporaries: p.held})
}

// step does what three bytes say.
func (p *play) step(op, x, y byte) {
	who, name, other := int(x>>7), p.names[int(x)%4], p.names[int(y)%4]
	s, m := p.sessions[who], &p.model
	m.now++
	var u *modelUpload
	opened := m.opened(who)
	if n := len(opened); n > 0 {
		u = opened[int(y)%n]
	}
	switch op %= 16; {
	case op < 4 || u == nil && op < 10:
		if len(opened) == 4 {
			return
		}
		f := access.Flags{Create: y&1 != 0, Truncate: y&2 != 0, Exclusive: y&4 != 0 && y&8 != 0}
		w, err := s.Create(name, f)
		p.agree(err, m.open(who, name, f), "%d opens %s %+v", who, name, f)
		if err == nil {
			p.writers[m.uploads[who][len(m.uploads[who])-1]] = w
		}
	case op < 7:
		off, text := int(y>>6), strings.Repeat(string('a'+rune(p.model.now%26)), 1+int(y>>2&3))
		_, err := p.writers[u].WriteAt([]byte(text), int64(off))
		m.write(u, off, text)
		p.agree(err, true, "%d writes %s to %s at %d", who, text, u.name, off)
	case op < 9:
		err := p.writers[u].Commit()
		p.agree(err, m.close(who, u), "%d closes %s", who, u.name)
	case op == 9:
		err := p.writers[u].SetAttr(vfs.Attr{HasSize: true, Size: int64(y >> 5)})
		m.resize(u, int(y>>5))
		p.agree(err, true, "%d makes %s %d long", who, u.name, y>>5)
	case op == 10:
		p.agree(s.SetAttr(name, vfs.Attr{HasSize: true, Size: int64(y >> 5)}), m.setSize(who, name, int(y>>5)), "%d makes name %s %d long", who, name, y>>5)
	case op < 14:
		replace := y&128 != 0
		p.agree(s.Rename(name, other, replace), m.rename(who, name, other, replace), "%d renames %s to %s, replacing %v", who, name, other, replace)
	case op == 14:
		p.agree(s.Remove(name), m.remove(who, name), "%d removes %s", who, name)
	case op == 15 && y%4 == 0:
		for _, u := range slices.Clone(m.uploads[who]) {
			if !u.held {
				p.writers[u].Cut()
			}
			m.end(who, u)
		}
		s.End()
		p.begin(who)
		p.said = append(p.said, fmt.Sprintf("%d is cut", who))
	}
	p.check()
}

// agree compares whether a step was done.
func (p *play) agree(err error, ok bool, format string, args ...any) {
	p.t.Helper()
	p.said = append(p.said, fmt.Sprintf(format, args...)+fmt.Sprintf(": %v", err))
	if (err == nil) != ok {
		p.fail("the model says %v", ok)
	}
}

func (p *play) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\n%s", strings.Join(p.said, "\n"), fmt.Sprintf(format, args...))
}

// check compares what is published, and what each session sees.
func (p *play) check() {
	p.t.Helper()
	var listed []string
	for folder, lib := range p.libs {
		for i, err := range lib.List(context.Background()) {
			if err != nil {
				p.fail("List: %v", err)
			}
			listed = append(listed, path.Join(folder, i.Name))
		}
	}
	slices.Sort(listed)
	if want := slices.Sorted(maps.Keys(p.model.files)); !slices.Equal(listed, want) {
		p.fail("published are %q, want %q", listed, want)
	}
	for who, s := range p.sessions {
		if n := s.OpenHandles(); n != len(p.model.opened(who)) {
			p.fail("%d has %d open, want %d", who, n, len(p.model.opened(who)))
		}
		for _, name := range p.names {
			want, there := p.model.files[name]
			if top := p.model.top(who, name); top != nil {
				want, there = top.data, true
			}
			got, found := p.read(s, name)
			if there != found || got != want {
				p.fail("%d reads %q in %s, there %v; want %q, %v", who, got, name, found, want, there)
			}
		}
	}
}

func (p *play) read(s *access.Session, name string) (text string, there bool) {
	i, err := s.Stat(name)
	if err != nil {
		return "", false
	}
	r, err := s.Open(name)
	if err != nil {
		p.fail("Open of %s: %v", name, err)
	}
	defer r.Close(nil)
	b := make([]byte, i.Size+1)
	n, _ := r.ReadAt(b, 0)
	return string(b[:n]), true
}

// end closes what is open, the oldest first.
func (p *play) end() {
	for who := range p.sessions {
		for _, u := range p.model.opened(who) {
			p.model.now++
			p.agree(p.writers[u].Commit(), p.model.close(who, u), "%d closes %s", who, u.name)
			p.check()
		}
	}
}

// Random steps of two sessions with four uploads each do what the model says.
func TestUploadsAgainstModel(t *testing.T) {
	plays := 1000
	if testing.Short() {
		plays = 300
	}
	for seed := range plays {
		r := rand.New(rand.NewPCG(uint64(seed), 13))
		p := newPlay(t, seed%2 == 1)
		p.said = append(p.said, fmt.Sprintf("seed %d", seed))
		for range 40 {
			p.step(byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()))
		}
		p.end()
	}
}

// FuzzUploads is the same with steps that are looked for.
func FuzzUploads(f *testing.F) {
	f.Add([]byte("\x00\x00\x03\x04\x00\x08\x00\x00\x03\x04\x00\x08\x07\x00\x01\x04\x00\x00\x07\x00\x00"))
	f.Add([]byte("\x00\x00\x03\x04\x00\x00\x0b\x00\x81\x00\x01\x03\x07\x00\x00\x0e\x01\x00\x07\x00\x00"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		p := newPlay(t, len(steps)%2 == 1)
		for ; len(steps) >= 3; steps = steps[3:] {
			p.step(steps[0], steps[1], steps[2])
		}
		p.end()
	})
}
