package access_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// A library keeps its promises also as one of two that a session has, whatever the
// session does in the other one meanwhile: the suite of all libraries runs on one
// through sessions, and for each name that it uses there, an upload of the same name is
// under way in the other. These must end up whole, too.
func TestConformanceOfOneOfTwo(t *testing.T) {
	for _, c := range []struct{ tested, other string }{{"in", "out"}, {"out", "in"}} {
		t.Run(c.tested, func(t *testing.T) {
			vfstest.Test(t, func(t *testing.T) vfs.Library {
				dir, err := local.Open(t.TempDir(), local.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { dir.Close() })
				p := &oneOfTwo{
					t: t, tested: c.tested, other: c.other,
					libs:    map[string]vfs.Library{"in": dir, "out": vfstest.NewMemory()},
					lookers: make(map[context.Context]*visit), beside: make(map[string][]string),
				}
				t.Cleanup(p.end)
				if _, ok := vfs.As[vfs.Space](p.libs[c.tested]); ok {
					return spacious{p}
				}
				return p
			})
		})
	}
}

// oneOfTwo is a library that is reached through sessions which have two. Who uploads has
// a session for each upload: to one session its own upload is a file before its end,
// which no other promises. All else is done in one session.
type oneOfTwo struct {
	t             *testing.T
	tested, other string                 // folders
	libs          map[string]vfs.Library // by folder

	looking sync.Mutex
	lookers map[context.Context]*visit // by what they are called with

	mu     sync.Mutex
	visits []*visit
	beside map[string][]string // what may be in the other library at the end, by name
	serial int
}

// visit is a session, with what it uploads to the other library.
type visit struct {
	p      *oneOfTwo
	mu     sync.Mutex
	s      *access.Session
	ctx    context.Context
	cancel func()
	noted  *noting
	gate   *verdicts
	others map[string]*another
}

// another is an upload to the other library, half of which is written.
type another struct {
	w    *access.Writer
	text string
}

// visitWith begins a session that has permissions, an account and a gate as the options
// of an upload say.
func (p *oneOfTwo) visitWith(ctx context.Context, o vfs.CreateOptions) *visit {
	v := &visit{p: p, noted: &noting{Library: p.libs[p.tested]}, others: make(map[string]*another)}
	if ctx == p.t.Context() {
		ctx = context.Background() // for what is to be done at the end of the test
	}
	v.ctx, v.cancel = context.WithCancel(ctx)
	share := access.Share{Source: access.Opened(v.noted), Label: p.tested, Permissions: everything(), MaxFileSize: o.MaxSize}
	share.Permissions.Overwrite = !o.NoReplace
	if o.Check != nil {
		v.gate = &verdicts{check: o.Check}
		share.Gate = v.gate
	}
	v.s = access.New(v.ctx, access.Options{Account: o.Owner, Shares: map[string]access.Share{
		p.tested: share,
		p.other:  {Source: access.Opened(p.libs[p.other]), Label: p.other, Permissions: everything()},
	}})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visits = append(p.visits, v)
	return v
}

// looker is the session for what is called with ctx.
func (p *oneOfTwo) looker(ctx context.Context) *visit {
	p.looking.Lock()
	defer p.looking.Unlock()
	v := p.lookers[ctx]
	if v == nil {
		v = p.visitWith(ctx, vfs.CreateOptions{})
		p.lookers[ctx] = v
	}
	return v
}

// beginBeside begins an upload of a name to the other library, unless it is under way.
func (v *visit) beginBeside(name string) {
	if vfs.CheckName(name) != nil || v.others[name] != nil || v.ctx.Err() != nil {
		return
	}
	v.p.mu.Lock()
	v.p.serial++
	text := strings.Repeat(fmt.Sprintf("%s beside, %d. ", name, v.p.serial), 50)
	v.p.mu.Unlock()
	w, err := v.s.Create(v.p.other+"/"+name, access.Replace(0))
	if err == nil {
		_, err = w.WriteAt([]byte(text[:len(text)/2]), 0)
	}
	if err != nil {
		v.p.t.Errorf("an upload beside: %v", err)
		return
	}
	v.others[name] = &another{w, text}
}

// endBeside writes the rest of what is under way in the other library, and publishes it.
// The session whose client has gone publishes nothing.
func (v *visit) endBeside() {
	t := v.p.t
	for name, a := range v.others {
		delete(v.others, name)
		if v.ctx.Err() != nil {
			a.w.Cut()
			continue
		}
		half := len(a.text) / 2
		n, err := a.w.WriteAt([]byte(a.text[half:]), int64(half))
		if err != nil || n != len(a.text)-half {
			t.Errorf("an upload beside takes %d bytes more, %v", n, err)
		}
		all := make([]byte, len(a.text)+1)
		if n, err := a.w.ReadAt(all, 0); err != io.EOF || string(all[:n]) != a.text {
			t.Errorf("an upload beside holds %d bytes of %d, or others, %v", n, len(a.text), err)
		}
		v.p.mu.Lock()
		v.p.beside[name] = append(v.p.beside[name], a.text)
		v.p.mu.Unlock()
		if err := a.w.Commit(); err != nil {
			t.Errorf("an upload beside is not published: %v", err)
		}
	}
}

// end ends the sessions, and looks whether the other library holds what was uploaded
// there, and nothing else.
func (p *oneOfTwo) end() {
	for _, v := range p.visits {
		v.endBeside()
		v.s.End()
		v.cancel()
		if n := len(v.others); n > 0 {
			p.t.Errorf("%d uploads beside have not ended", n)
		}
	}
	// These parts are about no upload, or about what a session does not offer.
	without := []string{"Space", "Expiry"}
	if len(p.beside) == 0 && !p.t.Skipped() && !slices.Contains(without, path.Base(p.t.Name())) {
		p.t.Error("nothing was uploaded beside")
	}
	for name, texts := range p.beside {
		f, err := p.libs[p.other].Open(context.Background(), name)
		if err != nil {
			p.t.Errorf("beside there is no %q: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30)); err != nil || !slices.Contains(texts, string(got)) {
			p.t.Errorf("beside there are %d bytes under %q that nobody has uploaded, %v", len(got), name, err)
		}
		f.Close()
	}
	for i, err := range p.libs[p.other].List(context.Background()) {
		if err != nil || len(p.beside[i.Name]) == 0 {
			p.t.Errorf("beside there is %+v, %v", i, err)
		}
	}
}

// at is the path of a name. It is not for those that mean something else in a path.
func (p *oneOfTwo) at(name string) string { return p.tested + "/" + name }

// sayable tells whether a path can have the name as its last element.
func sayable(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// heard is an error of a session as a library has it: one that knows the contexts and
// checks of who has called it.
func (v *visit) heard(err error) error {
	var said *vfs.Error
	switch {
	case errors.Is(err, vfs.ErrCut) && v.ctx.Err() != nil:
		return v.ctx.Err()
	case v.gate != nil && errors.As(v.gate.said, &said) && errors.Is(err, said.Kind) && err.Error() == said.Error():
		return said
	}
	return err
}

// do does what concerns some names in the session for ctx, while these are uploaded to
// the other library.
func (p *oneOfTwo) do(ctx context.Context, what func(*visit) error, names ...string) (vfs.Change, error) {
	return p.looker(ctx).do(what, names...)
}

func (v *visit) do(what func(*visit) error, names ...string) (c vfs.Change, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, name := range names {
		v.beginBeside(name)
	}
	v.noted.last = vfs.Change{}
	err = v.heard(what(v))
	return v.noted.last, err
}

func (p *oneOfTwo) Properties() vfs.Properties { return p.looker(p.t.Context()).s.Properties() }

func (p *oneOfTwo) List(ctx context.Context) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		var l *access.Listing
		v := p.looker(ctx)
		if _, err := v.do(func(v *visit) (err error) { l, err = v.s.List(p.tested); return err }, "beside a list"); err != nil {
			yield(vfs.Info{}, err)
			return
		}
		defer l.Close()
		for {
			one := make([]vfs.Info, 1)
			n, err := l.Next(one)
			switch {
			case err == io.EOF && n == 0:
				return
			case err != nil && err != io.EOF:
				yield(vfs.Info{}, v.heard(err))
				return
			case !yield(one[0], nil):
				return
			}
		}
	}
}

func (p *oneOfTwo) Stat(ctx context.Context, name string) (i vfs.Info, err error) {
	if !sayable(name) {
		return p.libs[p.tested].Stat(ctx, name)
	}
	_, err = p.do(ctx, func(v *visit) (err error) { i, err = v.s.Stat(p.at(name)); return err }, name)
	return i, err
}

func (p *oneOfTwo) Open(ctx context.Context, name string) (vfs.File, error) {
	if !sayable(name) {
		return p.libs[p.tested].Open(ctx, name)
	}
	return p.looker(ctx).open(name)
}

func (v *visit) open(name string) (vfs.File, error) {
	f := &ownFile{v: v}
	_, err := v.do(func(v *visit) (err error) { f.Reader, err = v.s.Open(v.p.at(name)); return err }, name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (p *oneOfTwo) Rename(ctx context.Context, old, new string, replace bool) (vfs.Change, error) {
	if !sayable(old) || !sayable(new) {
		return p.libs[p.tested].Rename(ctx, old, new, replace)
	}
	return p.do(ctx, func(v *visit) error { return v.s.Rename(p.at(old), p.at(new), replace) }, old, new)
}

func (p *oneOfTwo) Remove(ctx context.Context, name string) error {
	if !sayable(name) {
		return p.libs[p.tested].Remove(ctx, name)
	}
	_, err := p.do(ctx, func(v *visit) error { return v.s.Remove(p.at(name)) }, name)
	return err
}

func (p *oneOfTwo) SetAttr(ctx context.Context, name string, a vfs.Attr) (vfs.Change, error) {
	if !sayable(name) {
		return p.libs[p.tested].SetAttr(ctx, name, a)
	}
	v := p.looker(ctx)
	if a.Check != nil { // it is the gate of a session
		v = p.visitWith(ctx, vfs.CreateOptions{Check: a.Check})
		a.Check = nil
	}
	return v.do(func(v *visit) error { return v.s.SetAttr(p.at(name), a) }, name)
}

// keepBeside has the owner have a partial of the name in the other library.
func (p *oneOfTwo) keepBeside(owner, name string) {
	u, err := p.libs[p.other].Create(context.Background(), name, vfs.CreateOptions{Create: true, Owner: owner})
	if err == nil {
		_, err = u.WriteAt(make([]byte, 3<<20), 0)
	}
	if k, ok := vfs.As[vfs.Keeper](u); ok && err == nil {
		err = k.Keep()
	}
	if err != nil {
		p.t.Errorf("a partial beside: %v", err)
	}
}

// Partial is what the owner sees while nothing is published.
func (p *oneOfTwo) Partial(ctx context.Context, owner, name string) (i vfs.Info, err error) {
	p.keepBeside(owner, name)
	if _, err := p.Stat(ctx, name); err == nil {
		return i, vfs.NotExist()
	}
	_, err = p.visitWith(ctx, vfs.CreateOptions{Owner: owner}).do(func(v *visit) (err error) { i, err = v.s.Stat(p.at(name)); return err }, "beside a partial")
	return i, err
}

// spacious is one whose library knows its space.
type spacious struct{ *oneOfTwo }

func (p spacious) Space(ctx context.Context) (i vfs.SpaceInfo, err error) {
	_, err = p.do(ctx, func(v *visit) (err error) { i, err = v.s.Space(p.tested); return err })
	return i, err
}

func (p *oneOfTwo) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	if !sayable(name) {
		return p.libs[p.tested].Create(ctx, name, o)
	}
	v, first, after := (*visit)(nil), name, "" // the one beside begins before, or after
	if draft, ok := vfs.As[*ownFile](o.Base); ok {
		defer draft.Close()
		v = draft.v // it starts from what the same session uploads
	} else {
		v = p.visitWith(ctx, o)
		p.mu.Lock()
		if p.serial%2 == 0 {
			first, after = "", name
		}
		p.mu.Unlock()
	}
	u := &ownUpload{v: v, name: name}
	_, err := v.do(func(v *visit) (err error) {
		u.w, err = v.s.Create(p.at(name), access.Flags{Create: o.Create, Truncate: o.Truncate, Exclusive: o.Exclusive, Mode: o.Mode})
		return err
	}, first)
	if err != nil {
		if o.NoReplace && errors.Is(err, fs.ErrPermission) {
			if _, there := p.libs[p.tested].Stat(ctx, name); there == nil {
				err = &vfs.Error{Kind: fs.ErrExist, Err: err} // the policy comes before the library
			}
		}
		return nil, err
	}
	u.raw = v.noted.made
	v.beginBeside(after)
	return u, nil
}

// ownUpload is an upload of a session.
type ownUpload struct {
	v     *visit
	w     *access.Writer
	raw   vfs.Upload // the library's
	name  string
	ended bool
}

// heard is like that of a visit, with what goes before the error.
func heard[T any](v *visit, value T, err error) (T, error) { return value, v.heard(err) }

func (u *ownUpload) WriteAt(b []byte, off int64) (int, error) {
	n, err := u.w.WriteAt(b, off)
	return heard(u.v, n, err)
}

func (u *ownUpload) ReadAt(b []byte, off int64) (int, error) {
	n, err := u.w.ReadAt(b, off)
	return heard(u.v, n, err)
}

func (u *ownUpload) Stat() (vfs.Info, error) {
	i, err := u.w.Stat()
	return heard(u.v, i, err)
}
func (u *ownUpload) SetAttr(a vfs.Attr) error { return u.v.heard(u.w.SetAttr(a)) }
func (u *ownUpload) Sync() error              { return u.v.heard(u.w.Sync()) }

// Open asks for what the session sees under the name.
func (u *ownUpload) Open() (vfs.File, error) {
	if u.ended {
		return nil, &vfs.Error{Kind: vfs.ErrBadHandle}
	}
	return u.v.open(u.name)
}

// Rename is the library's where a session would rename what is published, too.
func (u *ownUpload) Rename(new string, replace bool) error {
	if _, err := u.v.p.libs[u.v.p.tested].Stat(u.v.ctx, u.name); err == nil {
		return u.raw.Rename(new, replace)
	}
	_, err := u.v.do(func(v *visit) error { return v.s.Rename(v.p.at(u.name), v.p.at(new), replace) }, new)
	if err == nil {
		u.name = new
	}
	return err
}

func (u *ownUpload) Commit(ctx context.Context) (vfs.Change, error) {
	defer context.AfterFunc(ctx, u.v.cancel)()
	return u.end(func(*visit) error { return u.w.Commit() })
}

// Check has no place in a session, which asks the upload of the library.
func (u *ownUpload) Check(ctx context.Context) error {
	c, ok := vfs.As[vfs.Checker](u.raw)
	if !ok {
		return vfs.ErrUnsupported
	}
	return c.Check(ctx)
}

// Abort has no error: the session has only its own reason for that.
func (u *ownUpload) Abort() error {
	if !u.ended {
		u.end(func(*visit) error { return u.w.Abandon("the test has it aborted") })
	}
	return nil
}

// Keep is what happens to an upload whose client is gone.
func (u *ownUpload) Keep() error {
	_, err := u.end(func(*visit) error { return u.w.Cut() })
	if errors.Is(err, vfs.ErrCut) {
		return nil
	}
	return err
}

// end ends it while the upload to the other library is under way, and then that.
func (u *ownUpload) end(how func(*visit) error) (vfs.Change, error) {
	u.ended = true
	defer u.v.endBeside()
	return u.v.do(how)
}

// ownFile is a file that a session reads.
type ownFile struct {
	*access.Reader
	v *visit
}

func (f *ownFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.Reader.ReadAt(b, off)
	return heard(f.v, n, err)
}

func (f *ownFile) Close() error { return f.Reader.Close(nil) }

func (f *ownFile) Digest(_ context.Context, a crypto.Hash) ([]byte, error) {
	f.v.mu.Lock()
	defer f.v.mu.Unlock()
	return f.Reader.Digest(a)
}

// noting remembers what the library has said of the last change, which a session tells
// its client nothing of.
type noting struct {
	vfs.Library
	last vfs.Change
	made vfs.Upload
}

func (n *noting) Unwrap() vfs.Library { return n.Library }

func (n *noting) Rename(ctx context.Context, old, new string, replace bool) (c vfs.Change, err error) {
	n.last, err = n.Library.Rename(ctx, old, new, replace)
	return n.last, err
}

func (n *noting) SetAttr(ctx context.Context, name string, a vfs.Attr) (c vfs.Change, err error) {
	n.last, err = n.Library.SetAttr(ctx, name, a)
	return n.last, err
}

func (n *noting) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	u, err := n.Library.Create(ctx, name, o)
	n.made = u
	return notingUpload{u, n}, err
}

type notingUpload struct {
	vfs.Upload
	n *noting
}

func (u notingUpload) Unwrap() vfs.Upload { return u.Upload }

func (u notingUpload) Commit(ctx context.Context) (c vfs.Change, err error) {
	u.n.last, err = u.Upload.Commit(ctx)
	return u.n.last, err
}

// verdicts is a gate that remembers what was said last: a client hears a copy.
type verdicts struct {
	check vfs.Check
	said  error
}

func (g *verdicts) Judge(ctx context.Context, _ string, s vfs.Staged) (string, error) {
	if g.said = g.check(ctx, s); g.said != nil {
		return vfs.GateRefused, g.said
	}
	return vfs.GatePassed, nil
}
