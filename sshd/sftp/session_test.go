package sftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"

	server "shelf/sshd/sftp"
	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// options are what a session of a test is made from.
type options struct {
	access.Options
	MaxOpenFiles int
}

// client is the other end of a session.
type client struct {
	*sftp.Client
	t       testing.TB
	access  *access.Session
	session *server.Session
	stderr  *lockedBuffer
	cut     func()     // ends the connection without a word
	ended   chan error // what Serve returned
}

// lockedBuffer is a bytes.Buffer for two goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// duplex is a channel made of two pipes.
type duplex struct {
	io.Reader
	io.Writer
}

// serve starts a session and returns the ends of its channel.
func serve(t testing.TB, o options) (c *client, in io.Reader, out *io.PipeWriter) {
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	c = &client{t: t, access: access.New(context.Background(), o.Options), stderr: new(lockedBuffer), ended: make(chan error, 1)}
	c.session = server.NewSession(server.Options{Access: c.access, MaxOpenFiles: o.MaxOpenFiles, Log: o.Log})
	c.cut = func() { toServer.CloseWithError(io.EOF) }
	go func() {
		err := c.session.Serve(context.Background(), duplex{fromClient, toClient}, c.stderr)
		toClient.Close()
		fromClient.Close()
		c.ended <- err
	}()
	t.Cleanup(c.cut)
	return c, fromServer, toServer
}

// dial starts a session and logs a pkg/sftp client in to it.
func dial(t testing.TB, o options) *client {
	t.Helper()
	c, in, out := serve(t, o)
	var err error
	if c.Client, err = sftp.NewClientPipe(in, out); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Client.Close() })
	return c
}

// end closes the connection and waits for Serve.
func (c *client) end() {
	c.t.Helper()
	c.cut()
	if err := <-c.ended; err != nil {
		c.t.Errorf("Serve: %v", err)
	}
}

// idleHandles is how many handles are counted when a reply to the last request
// is there: that of one more request comes after it.
func (c *client) idleHandles() int {
	c.RealPath(".")
	return c.access.OpenHandles()
}

func (c *client) put(name, text string) {
	c.t.Helper()
	f, err := c.Create(name)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) has(name, want string) {
	c.t.Helper()
	f, err := c.Open(name)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); string(got) != want || err != nil {
		c.t.Fatalf("%s holds %q, want %q: %v", name, got, want, err)
	}
}

// openDir opens a library in a folder of its own.
func openDir(t testing.TB, o local.Options) (*local.Dir, string) {
	t.Helper()
	path := t.TempDir()
	d, err := local.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func memory(p vfs.Permissions) options {
	return options{Options: access.Options{Library: vfstest.NewMemory(), Permissions: p, Account: "ada"}}
}

func all() vfs.Permissions {
	return vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSession(t *testing.T) {
	var events []string
	o := memory(all())
	o.Report = func(e vfs.Event) error {
		events = append(events, strings.TrimSpace(fmt.Sprintln(e.Op, e.Name, e.Target, e.Bytes, e.Err)))
		return nil
	}
	c := dial(t, o)
	c.put("a", "hello")
	c.has("/a", "hello")
	c.has("./sub/../a", "hello")
	if i, err := c.Stat("/"); err != nil || !i.IsDir() {
		t.Error("Stat of the root", i, err)
	}
	for from, want := range map[string]string{".": "/", "..": "/", "../../x": "/x", "/a/": "/a", "": "/"} {
		if got, err := c.RealPath(from); got != want || err != nil {
			t.Errorf("RealPath(%q) = %q, %v", from, got, err)
		}
	}
	if err := c.Rename("a", "b"); err != nil {
		t.Error(err)
	}
	c.put("a", "A")
	if err := c.Rename("a", "b"); err == nil {
		t.Error("RENAME replaced a file")
	}
	if err := c.PosixRename("a", "b"); err != nil {
		t.Error(err)
	}
	c.has("b", "A")
	if err := c.Truncate("b", 0); err != nil {
		t.Error(err)
	}
	if err := c.Remove("b"); err != nil {
		t.Error(err)
	}
	if l, err := c.ReadDir("/"); err != nil || len(l) != 0 {
		t.Error(l, err)
	}
	if n := c.idleHandles(); n != 0 {
		t.Errorf("%d handles are open", n)
	}
	c.end()
	want := []string{
		"put a  5 <nil>", "get a  5 <nil>", "get sub/../a  5 <nil>", "rename a b 0 <nil>", "put a  1 <nil>",
		`rename a b 0 "b": a file of that name exists`, "rename a b 0 <nil>", "get b  1 <nil>", "setstat b  0 <nil>",
		"remove b  0 <nil>", "list   0 <nil>",
	}
	want[2] = "get a  5 <nil>" // pkg/sftp has cleaned the path
	if strings.Join(events, "\n") != strings.Join(want, "\n") {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(events, "\n"), strings.Join(want, "\n"))
	}
}

// A session's upload answers by name to itself and to nobody else.
func TestSessionPending(t *testing.T) {
	o := memory(all())
	mine, other := dial(t, o), dial(t, o)
	f, err := mine.Create("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	for _, stat := range []func(string) (fs.FileInfo, error){mine.Stat, mine.Lstat} {
		if i, err := stat("f"); err != nil || i.Size() != 5 {
			t.Error("my own upload:", i, err)
		}
	}
	if i, err := f.Stat(); err != nil || i.Size() != 5 {
		t.Error("FSTAT:", i, err)
	}
	if _, err := other.Stat("f"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("another's:", err)
	}
	if err := mine.Chmod("f", 0o751); err != nil {
		t.Error("SETSTAT:", err)
	}
	if err := f.Truncate(3); err != nil {
		t.Error("FSETSTAT:", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if i, err := other.Stat("f"); err != nil || i.Size() != 3 || i.Mode() != 0o751 {
		t.Error("published:", i, err)
	}
}

// Who goes without CLOSE has uploaded nothing.
func TestSessionCut(t *testing.T) {
	o := memory(all())
	c := dial(t, o)
	c.put("old", "old")
	for _, name := range []string{"new", "old"} {
		f, err := c.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("lost")); err != nil {
			t.Fatal(err)
		}
	}
	c.end()
	again := dial(t, o)
	again.has("old", "old")
	if _, err := again.Stat("new"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// permitted is each operation, against a library that has the file "f".
var permitted = []struct {
	name  string
	allow func(vfs.Permissions) bool
	do    func(c *client) error
}{
	{"list", func(p vfs.Permissions) bool { return p.List }, func(c *client) error { _, err := c.ReadDir("/"); return err }},
	{"stat", func(p vfs.Permissions) bool { return p.List || p.Read }, func(c *client) error { _, err := c.Stat("f"); return err }},
	{"read", func(p vfs.Permissions) bool { return p.Read }, func(c *client) error { return closed(c.Open("f")) }},
	{"create", func(p vfs.Permissions) bool { return p.Write }, func(c *client) error { return closed(c.Create("new")) }},
	{"overwrite", func(p vfs.Permissions) bool { return p.Overwrite }, func(c *client) error { return closed(c.Create("f")) }},
	{"update", func(p vfs.Permissions) bool { return p.Overwrite && p.Read }, func(c *client) error { return closed(c.OpenFile("f", os.O_RDWR)) }},
	{"setstat", func(p vfs.Permissions) bool { return p.Overwrite }, func(c *client) error { return c.Chmod("f", 0o600) }},
	{"truncate", func(p vfs.Permissions) bool { return p.Overwrite }, func(c *client) error { return c.Truncate("f", 1) }},
	{"rename", func(p vfs.Permissions) bool { return p.Rename }, func(c *client) error { return c.Rename("f", "h") }},
	{"posix-rename", func(p vfs.Permissions) bool { return p.Rename && p.Overwrite }, func(c *client) error { return c.PosixRename("f", "g") }},
	{"remove", func(p vfs.Permissions) bool { return p.Delete }, func(c *client) error { return c.Remove("f") }},
}

func closed(f *sftp.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// Every combination of permissions against every operation.
func TestSessionPermissions(t *testing.T) {
	for bits := range 1 << 6 {
		p := vfs.Permissions{
			List: bits&1 != 0, Read: bits&2 != 0, Write: bits&4 != 0,
			Overwrite: bits&8 != 0, Rename: bits&16 != 0, Delete: bits&32 != 0,
		}
		for _, op := range permitted {
			o := memory(all())
			owner := dial(t, o)
			owner.put("f", "content")
			owner.put("g", "taken")
			o.Permissions = p
			c := dial(t, o)
			if err := op.do(c); (err == nil) != op.allow(p) {
				t.Errorf("%s with %+v: %v", op.name, p, err)
			}
			if !op.allow(p) {
				owner.has("f", "content")
				owner.has("g", "taken")
			}
			owner.end()
			c.end()
		}
	}
}

// A drop-box can see and finish what it uploaded in this session, and that is all.
func TestSessionDropBox(t *testing.T) {
	o := memory(all())
	owner := dial(t, o)
	owner.put("theirs", "secret")
	o.Permissions = vfs.Permissions{Write: true}
	c := dial(t, o)
	c.put("mine", "12345")
	if i, err := c.Stat("mine"); err != nil || i.Size() != 5 {
		t.Error(i, err)
	}
	if err := c.Chmod("mine", 0o640); err != nil {
		t.Error("SETSTAT of its own:", err)
	}
	for name, err := range map[string]error{
		"stat":    second(c.Stat("theirs")),
		"read":    second(c.Open("mine")),
		"list":    second(c.ReadDir("/")),
		"again":   second(c.Create("mine")),
		"replace": second(c.Create("theirs")),
		"setstat": c.Chmod("theirs", 0o600),
	} {
		if err == nil {
			t.Errorf("%s was allowed", name)
		}
	}
	if absent, there := second(c.Stat("absent")), second(c.Stat("theirs")); absent.Error() != there.Error() {
		t.Errorf("it can tell what is there: %v, %v", absent, there)
	}
	owner.put("mine", "replaced by another")
	if _, err := c.Stat("mine"); err == nil {
		t.Error("it sees what another put in its file's place")
	}
}

func second[T any](_ T, err error) error { return err }

// Reasons go to stderr, escaped and bounded, and to the log only as faults.
func TestSessionReasons(t *testing.T) {
	d, path := openDir(t, local.Options{})
	var log bytes.Buffer
	p := all()
	p.Delete = false
	c := dial(t, options{Options: access.Options{Library: d, Permissions: p, Log: slog.New(slog.NewTextHandler(&log, nil))}})
	c.put("f", "x")
	c.put("taken", "y")
	if err := os.Mkdir(filepath.Join(path, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"remove":  c.Remove("f"),
		"dot":     second(c.Create(".x")),
		"escape":  second(c.Create("a\x1b[2Jb")),
		"folder":  second(c.Create("folder")),
		"mkdir":   c.Mkdir("new folder"),
		"symlink": c.Symlink("f", "g"),
		"chown":   c.Chown("f", 0, 0),

		"to a name that is taken":      c.Rename("f", "taken"),
		"to one taken by a folder":     c.PosixRename("f", "folder"),
		"to a dot name":                c.Rename("f", ".g"),
		"to one with a slash":          c.Rename("f", "folder/g"),
		"to one that a terminal obeys": c.Rename("f", "g\x1b[2J"),
	} {
		if err == nil || strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	said := c.stderr.String()
	for _, want := range []string{
		`remove "f": this account may not delete files`,
		`put ".x": the name starts with a dot; hidden files are not part of the library`,
		`put "a\x1b[2Jb": the name has a control character`,
		`put "folder": the name is taken by something that is not a file of the library`,
		`mkdir "new folder": the library has no folders`,
		`the library has no links`,
		`setstat "f": files here have no owner to change`,
		`rename "f": "taken": a file of that name exists`,
		`rename "f": "folder": the name is taken by something that is not a file of the library`,
		`rename "f": ".g": the name starts with a dot; hidden files are not part of the library`,
		`rename "f": "folder/g": the name has a slash; the library has no folders`,
		`rename "f": "g\x1b[2J": the name has a control character`,
	} {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("stderr does not say %q:\n%s", want, said)
		}
	}
	for range 2000 {
		c.Remove("f")
	}
	if n := len(c.stderr.String()); n > 20<<10 {
		t.Errorf("stderr holds %d bytes", n)
	}
	c.end()
	if log.Len() > 0 {
		t.Errorf("the log blames the server:\n%s", log.String())
	}
}

func TestSessionLimits(t *testing.T) {
	o := memory(all())
	o.MaxOpenFiles, o.MaxFileSize = 3, 10
	c := dial(t, o)
	c.put("f", "0123456789")
	f, err := c.Create("g")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("01234567890")); err == nil {
		t.Error("a file past the limit was taken")
	}
	if f.Close() == nil {
		t.Error("CLOSE after a failed WRITE says OK")
	}
	var open []*sftp.File
	for range 3 {
		f, err := c.Open("f")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, f)
	}
	if _, err := c.Open("f"); err == nil || !strings.Contains(err.Error(), "too many open files") {
		t.Error(err)
	}
	if c.access.OpenHandles() != 3 {
		t.Errorf("%d handles", c.access.OpenHandles())
	}
	open[0].Close()
	c.has("f", "0123456789")
}

// faults are requests that call the Library, and the call that is made to fail.
var faults = []struct {
	call vfstest.Call
	do   func(c *client) error
}{
	{vfstest.List, func(c *client) error { return second(c.ReadDir("/")) }},
	{vfstest.Stat, func(c *client) error { return second(c.Stat("f")) }},
	{vfstest.Open, func(c *client) error { return closed(c.Open("f")) }},
	{vfstest.Create, func(c *client) error { return closed(c.Create("f")) }},
	{vfstest.Rename, func(c *client) error { return c.Rename("f", "g") }},
	{vfstest.Remove, func(c *client) error { return c.Remove("f") }},
	{vfstest.SetAttr, func(c *client) error { return c.Chmod("f", 0o600) }},
	{vfstest.ReadAt, func(c *client) error {
		f, err := c.Open("f")
		if err != nil {
			return nil
		}
		defer f.Close()
		return second(f.Read(make([]byte, 3)))
	}},
	{vfstest.WriteAt, func(c *client) error { return upload(c, func(f *sftp.File) error { return nil }) }},
	{vfstest.SetAttr, func(c *client) error { return upload(c, func(f *sftp.File) error { return f.Truncate(2) }) }},
	{vfstest.Commit, func(c *client) error { return upload(c, func(f *sftp.File) error { return nil }) }},
}

// upload overwrites f. It fails with CLOSE's error, whatever came before.
func upload(c *client, then func(*sftp.File) error) error {
	f, err := c.Create("f")
	if err != nil {
		return nil
	}
	f.Write([]byte("new"))
	then(f)
	return f.Close()
}

// A panic or an error of the Library fails its request, and nothing else; what
// it may have left half done is not published.
func TestSessionFaults(t *testing.T) {
	for _, failure := range []error{nil, &vfs.Error{Kind: vfs.ErrIO, Why: "on cue"}} {
		for _, fault := range faults {
			t.Run(fmt.Sprint(fault.call, " ", failure), func(t *testing.T) {
				lib := vfstest.NewFaulty(vfstest.NewMemory())
				var log bytes.Buffer
				o := memory(all())
				o.Library, o.Log = lib, slog.New(slog.NewTextHandler(&log, nil))
				c := dial(t, o)
				c.put("f", "old")
				lib.Fail(fault.call, 1, failure)
				err := fault.do(c)
				if err == nil {
					t.Fatal("the request did not fail")
				}
				c.has("f", "old")
				if n := c.idleHandles(); n != 0 {
					t.Errorf("%d handles are left", n)
				}
				c.end()
				if failure == nil && !strings.Contains(log.String(), "stack=") {
					t.Errorf("no stack is logged: %s", log.String())
				}
			})
		}
	}
}

// raw sends packets and reads the type and body of each reply.
type raw struct {
	t   testing.TB
	in  io.Reader
	out io.Writer
}

func (r raw) send(kind byte, body []byte) {
	p := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	r.out.Write(append(append(p, kind), body...))
}

func (r raw) ask(kind byte, body []byte) (byte, []byte) {
	r.t.Helper()
	r.send(kind, body)
	var head [5]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		r.t.Fatal(err)
	}
	rest := make([]byte, binary.BigEndian.Uint32(head[:])-1)
	if _, err := io.ReadFull(r.in, rest); err != nil {
		r.t.Fatal(err)
	}
	return head[4], rest
}

// cat joins integers, as uint32, and strings, with their length.
func cat(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, p)
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
		}
	}
	return b
}

// Clients that copy a folder make its target first. That it exists is no news to a
// person: nothing goes to stderr.
func TestMkdirOfTheRoot(t *testing.T) {
	o := memory(all())
	s, in, out := serve(t, o)
	defer s.end()
	r := raw{t, in, out}
	r.ask(1, cat(3))
	for _, path := range []string{"/", ".", "", "./", "/.", "x/.."} {
		kind, body := r.ask(14, cat(1, path, 0))
		if kind != 101 || binary.BigEndian.Uint32(body[4:]) != 4 || !strings.Contains(string(body), "exists") {
			t.Errorf("MKDIR %q: type %d, %q", path, kind, body)
		}
	}
	if code := r.code(14, cat(1)); code != 8 {
		t.Errorf("MKDIR without a path: code %d", code)
	}
	if said := s.stderr.String(); strings.Count(said, "\n") != 1 { // of the last
		t.Errorf("stderr has %q", said)
	}
}

// What there is not in a library is refused, with an event for each.
func TestUnservedIsReported(t *testing.T) {
	var events []string
	o := memory(all())
	o.MaxOpenFiles = 1
	o.Report = func(e vfs.Event) error {
		if e.Unserved {
			events = append(events, fmt.Sprintf("%s %q %q %s", e.Op, e.Name, e.Target, vfs.ResultOf(e.Err)))
		}
		return nil
	}
	c := dial(t, o)
	c.Mkdir("d")
	c.RemoveDirectory("d")
	c.Symlink("a", "b")
	c.ReadLink("b")
	c.Link("a", "b")
	if _, err := c.Create("one"); err != nil {
		t.Fatal(err)
	}
	c.Create("two")
	c.Open("one")
	c.ReadDir("/")
	got := strings.Join(events, "\n")
	if want := `mkdir "d" "" refused
rmdir "d" "" refused
symlink "a" "b" refused
readlink "b" "" refused
request "hardlink@openssh.com" "" refused
put "two" "" refused
get "one" "" refused
list "" "" refused`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSessionPackets(t *testing.T) {
	o := memory(all())
	o.MaxOpenFiles = 7
	c, in, out := serve(t, o)
	r := raw{t, in, out}
	kind, body := r.ask(1, cat(3))
	if kind != 2 || !bytes.Contains(body, []byte("limits@openssh.com")) || bytes.Contains(body, []byte("hardlink")) {
		t.Fatalf("VERSION: %d %q", kind, body)
	}
	for what, p := range map[string]struct {
		kind byte
		body []byte
		code int
	}{
		"mkdir":            {14, cat(9, "d", 0), 8},
		"symlink":          {20, cat(9, "a", "b"), 8},
		"readlink":         {19, cat(9, "a"), 8},
		"link":             {21, cat(9, "a", "b", 0), 8},
		"unknown type":     {99, cat(9), 8},
		"unknown extended": {200, cat(9, "who@example.com", "x"), 8},
		"hardlink":         {200, cat(9, "hardlink@openssh.com", "a", "b"), 8},
		"bad handle":       {5, cat(9, "77", uint64(0), 10), 4},
		"short read":       {5, cat(9, "77"), 4},
		"close unopened":   {4, cat(9, "77"), 4},
		"stat too deep":    {17, cat(9, "/a/b"), 2},
		"open no flags":    {3, cat(9, "f", 0, 0), 4},
	} {
		kind, body := r.ask(p.kind, p.body)
		if kind != 101 || binary.BigEndian.Uint32(body) != 9 || binary.BigEndian.Uint32(body[4:]) != uint32(p.code) {
			t.Errorf("%s: type %d, %q", what, kind, body)
		}
	}
	kind, body = r.ask(200, cat(9, "limits@openssh.com"))
	if kind != 201 || !bytes.Equal(body, cat(9, uint64(262144), uint64(261120), uint64(261120), uint64(7))) {
		t.Errorf("limits: %d %v", kind, body)
	}
	c.end()
}

// promising is a library that promises something else.
type promising struct {
	vfs.Library
	properties vfs.Properties
}

func (p promising) Properties() vfs.Properties { return p.properties }
func (p promising) Unwrap() vfs.Library        { return p.Library }

// VERSION announces what works with the library, found through what is wrapped
// around it, and nothing else.
func TestSessionAnnounces(t *testing.T) {
	dir, _ := openDir(t, local.Options{})
	for _, test := range []struct {
		lib                    vfs.Library
		rename, fsync, statVFS bool
	}{
		{dir, true, true, true},
		{vfstest.NewFaulty(dir), true, true, true},
		{promising{dir, vfs.Properties{AtomicRename: true}}, true, false, true},
		{promising{vfstest.NewMemory(), vfs.Properties{Fsync: true}}, false, true, false},
	} {
		o := memory(all())
		o.Library = test.lib
		c, in, out := serve(t, o)
		r := raw{t, in, out}
		_, version := r.ask(1, cat(3))
		for ext, want := range map[string]bool{
			"posix-rename@openssh.com": test.rename, "fsync@openssh.com": test.fsync, "statvfs@openssh.com": test.statVFS,
			"limits@openssh.com": true, "copy-data": true,
		} {
			if bytes.Contains(version, []byte(ext)) != want {
				t.Errorf("%T %+v announces %q", test.lib, test.lib.Properties(), version)
			}
		}
		h := r.open("f", writeFlag|createFlag)
		if code := r.code(200, cat(7, "fsync@openssh.com", h)); (code == 0) != test.fsync {
			t.Errorf("fsync: code %d", code)
		}
		if kind, _ := r.ask(200, cat(7, "statvfs@openssh.com", "/")); (kind == 201) != test.statVFS {
			t.Errorf("statvfs: a reply of type %d", kind)
		}
		r.code(4, cat(7, h))
		c.end()
	}
}

// OPEN's mode, APPEND and handles: what pkg/sftp would lose.
func TestSessionHandles(t *testing.T) {
	d, path := openDir(t, local.Options{})
	c, in, out := serve(t, options{Options: access.Options{Library: d, Permissions: all()}})
	r := raw{t, in, out}
	r.ask(1, cat(3))
	ok := func(kind byte, body []byte) {
		t.Helper()
		if k, b := r.ask(kind, body); k != 101 || binary.BigEndian.Uint32(b[4:]) != 0 {
			t.Fatalf("%d %q", k, b)
		}
	}
	handle := func(flags int, mode int) string {
		t.Helper()
		k, b := r.ask(3, cat(1, "f", flags, 4, mode))
		if k != 102 {
			t.Fatalf("OPEN: %d %q", k, b)
		}
		return string(b[8:])
	}
	const read, write, appending, creat, trunc = 1, 2, 4, 8, 16
	h := handle(write|creat|trunc, 0o104640)
	ok(6, cat(2, h, uint64(0), "hello"))
	ok(200, cat(2, "fsync@openssh.com", h))
	if k, b := r.ask(5, cat(2, h, uint64(0), 5)); k != 101 {
		t.Errorf("READ of a handle for writing: %d %q", k, b)
	}
	ok(4, cat(2, h))
	if i, err := os.Stat(filepath.Join(path, "f")); err != nil || i.Mode() != 0o640 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	h = handle(read|write|appending, 0)
	ok(6, cat(2, h, uint64(0), " world"))
	ok(6, cat(2, h, uint64(3), "!"))
	if k, b := r.ask(5, cat(2, h, uint64(0), 50)); k != 103 || string(b[8:]) != "hello world!" {
		t.Errorf("READ: %d %q", k, b)
	}
	ok(4, cat(2, h))
	h = handle(read, 0)
	for what, body := range map[string][]byte{"past the end": cat(2, h, uint64(12), 5), "past 2^63": cat(2, h, uint64(1)<<63, 5)} {
		if k, b := r.ask(5, body); k != 101 || binary.BigEndian.Uint32(b[4:]) != 1 {
			t.Errorf("READ %s: %d %q", what, k, b)
		}
	}
	if k, b := r.ask(6, cat(2, h, uint64(0), "x")); k != 101 || binary.BigEndian.Uint32(b[4:]) == 0 {
		t.Errorf("WRITE to a handle for reading: %d %q", k, b)
	}
	ok(4, cat(2, h))
	h = handle(write|creat, 0)
	if k, b := r.ask(6, cat(2, h, uint64(1)<<62, "x")); k != 101 || binary.BigEndian.Uint32(b[4:]) == 0 {
		t.Errorf("WRITE at 2^62: %d %q", k, b)
	}
	if k, b := r.ask(4, cat(2, h)); k != 101 || binary.BigEndian.Uint32(b[4:]) == 0 {
		t.Errorf("CLOSE after it: %d %q", k, b)
	}
	text, _ := os.ReadFile(filepath.Join(path, "f"))
	if string(text) != "hello world!" {
		t.Errorf("published %q", text)
	}
	c.end()
}

// Packets that make no sense end the session, cleanly.
func TestSessionNonsense(t *testing.T) {
	for what, packet := range map[string][]byte{
		"before INIT":       {0, 0, 0, 9, 17, 0, 0, 0, 1, 0, 0, 0, 0},
		"too short":         {0, 0, 0, 1, 1, 0, 0, 0, 0},
		"too long":          {0xff, 0xff, 0xff, 0xff, 6, 0, 0, 0, 0},
		"cut":               append([]byte{0, 0, 0, 50, 1, 0, 0, 0, 3}, "short"...),
		"string too long":   append([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3}, 0, 0, 0, 9, 17, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff),
		"open without path": append([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3}, 0, 0, 0, 5, 3, 0, 0, 0, 1),
	} {
		c, in, out := serve(t, memory(all()))
		go io.Copy(io.Discard, in)
		go func() {
			out.Write(packet)
			out.Close()
		}()
		if err := <-c.ended; err == nil {
			t.Errorf("%s: Serve returned nil", what)
		}
	}
}

// FuzzSession sends packets of any kind and content: the session must answer
// each or end, and publish nothing that was not closed.
func FuzzSession(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x01f\x00\x00\x00\x1a\x00\x00\x00\x00"), []byte("\x06\x00\x00\x00\x011"))
	f.Add([]byte("\x0b\x00\x00\x00\x01/"), []byte("\x0c\x00\x00\x00\x011"))
	f.Add([]byte("\xc8\x00\x00\x00\x18posix-rename@openssh.com\x00\x00\x00\x01f\x00\x00\x00\x01g"), []byte("\x10\x00\x00\x00\x00"))
	f.Add([]byte("\x09\x00\x00\x00\x01f\x00\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x03"), []byte("\x12\x00\x00\x00\x01f\x00\x00\x00\x01g"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		o := memory(all())
		c, in, out := serve(t, o)
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			io.Copy(io.Discard, in)
		}()
		r := raw{t, in, out}
		r.send(1, cat(3))
		r.send(3, cat(7, "torn", 2|8|16, 0))
		r.send(6, cat(7, "1", uint64(0), "never closed"))
		const closing = 4 // which may publish, rightly
		for _, p := range [][]byte{one, two} {
			if len(p) > 0 && p[0] != closing {
				r.send(p[0], append(cat(8), p[1:]...))
			}
		}
		c.cut()
		<-c.ended
		<-drained
		for i := range o.Library.List(context.Background()) {
			t.Fatalf("%q was published without a CLOSE", i.Name)
		}
	})
}
