package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an SFTP server that answers as a test wants.
type server struct {
	addr     string
	known    string // a known_hosts file that has its key
	identity string // a private key that it lets in
	handlers sftp.Handlers
	config   *ssh.ServerConfig
	sftp     func(ssh.Channel) // serves the subsystem; nil: by the handlers
	exec     func(ssh.Channel) // serves commands; nil: there are none
	banner   string            // said before a login
	most     int64             // channels that it opens in a connection; 0: any number
	refusal  string            // why it opens no channel
	last     atomic.Pointer[ssh.ServerConn]
}

// newServer serves files of names to contents, which may be any string.
func newServer(t *testing.T, files map[string]string) *server {
	t.Helper()
	return newServerOf(t, "SSH-2.0-Shelf", files) // like Shelf it publishes an upload at CLOSE
}

func newServerOf(t *testing.T, version string, files map[string]string) *server {
	t.Helper()
	h := &library{files: files}
	s := &server{handlers: sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h}}
	dir := t.TempDir()
	host, user := newKey(t), newKey(t)
	s.config = &ssh.ServerConfig{ServerVersion: version, PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if bytes.Equal(key.Marshal(), user.signer.PublicKey().Marshal()) {
			return nil, nil
		}
		return nil, errors.New("no")
	}}
	s.config.BannerCallback = func(ssh.ConnMetadata) string { return s.banner }
	s.config.AddHostKey(host.signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	s.known = filepath.Join(dir, "known_hosts")
	s.identity = filepath.Join(dir, "id")
	hostName := "[127.0.0.1]:" + s.addr[strings.LastIndex(s.addr, ":")+1:]
	save(t, s.known, hostName+" "+string(ssh.MarshalAuthorizedKey(host.signer.PublicKey())))
	save(t, s.identity, string(user.pem))
	return s
}

type key struct {
	signer ssh.Signer
	pem    []byte
}

func newKey(t *testing.T) key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return key{signer, pem.EncodeToMemory(block)}
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *server) serve(nc net.Conn) {
	defer nc.Close()
	conn, channels, requests, err := ssh.NewServerConn(nc, s.config)
	if err != nil {
		return
	}
	s.last.Store(conn)
	go ssh.DiscardRequests(requests)
	var open sync.WaitGroup
	var opened atomic.Int64
	for nc := range channels {
		if s.refusal != "" || s.most > 0 && opened.Load() >= s.most {
			nc.Reject(ssh.Prohibited, s.refusal)
			continue
		}
		c, requests, err := nc.Accept()
		if err != nil {
			break
		}
		opened.Add(1)
		open.Go(func() {
			defer opened.Add(-1)
			for r := range requests {
				r.Reply(r.Type == "subsystem" || r.Type == "exec" && s.exec != nil, nil)
				switch {
				case r.Type == "exec" && s.exec != nil:
					s.exec(c)
					c.Close()
				case r.Type == "subsystem":
					io.WriteString(c.Stderr(), "remove: you may \x1b[31mnot\n")
					if s.sftp != nil {
						s.sftp(c)
					} else {
						sftp.NewRequestServer(c, s.handlers).Serve()
					}
					c.Close()
				}
			}
		})
	}
	open.Wait()
}

// run runs the client against the server and returns what it wrote.
func (s *server) run(t *testing.T, stdin string, args ...string) (status int, out, errs string) {
	t.Helper()
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		io.WriteString(w, stdin)
		w.Close()
	}()
	var o, e bytes.Buffer
	flags := []string{"-F", "none", "-i", s.identity, "--known-hosts", s.known}
	status = run(append(flags, args...), streams{in, &o, &e})
	return status, o.String(), e.String()
}

// library is a store that does not check names and publishes at once.
type library struct {
	mu      sync.Mutex
	files   map[string]string
	short   bool     // it ends files before their size
	opens   []string // what was opened for writing, and how
	opening func()   // is called when one is opened for reading and writing; mu is held
	reading func()   // is called when such a one is read
}

func (l *library) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, ok := l.files[strings.TrimPrefix(r.Filepath, "/")]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if l.short {
		text = text[:len(text)/2]
	}
	return strings.NewReader(text), nil
}

func (l *library) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	name := strings.TrimPrefix(r.Filepath, "/")
	if name == "refused" {
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opens = append(l.opens, fmt.Sprintf("%s %+v", name, r.Pflags()))
	return &draft{l: l, name: name}, nil
}

// OpenFile opens a file for reading and writing: it begins as what has the name.
func (l *library) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	w, err := l.Filewrite(r)
	if err != nil {
		return nil, err
	}
	d := w.(*draft)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opening != nil {
		l.opening()
	}
	d.data = []byte(l.files[d.name])
	return d, nil
}

func (l *library) Filecmd(r *sftp.Request) error {
	if r.Method == "Setstat" {
		return nil
	}
	return sftp.ErrSSHFxPermissionDenied
}

func (l *library) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Method == "List" {
		var all listing
		for name, text := range l.files {
			all = append(all, fileInfo{name, int64(len(text))})
		}
		return all, nil
	}
	name := strings.TrimPrefix(r.Filepath, "/")
	text, ok := l.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return listing{fileInfo{name, int64(len(text))}}, nil
}

// draft publishes at Close, and not if the channel ended before.
type draft struct {
	l    *library
	name string
	mu   sync.Mutex
	data []byte
	cut  bool
}

func (d *draft) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.name == "fails late" && off > 0 {
		return 0, errors.New("the disk is full")
	}
	if n := int(off) + len(p) - len(d.data); n > 0 {
		d.data = append(d.data, make([]byte, n)...)
	}
	return copy(d.data[off:], p), nil
}

func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	if d.l.reading != nil {
		d.l.reading()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.NewReader(d.data).ReadAt(p, off)
}

func (d *draft) TransferError(error) { d.cut = true }

func (d *draft) Close() error {
	if d.cut {
		return nil
	}
	if d.name == "fails at close" {
		return errors.New("the quota is used up")
	}
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	d.l.files[d.name] = string(d.data)
	return nil
}

type listing []fileInfo

func (l listing) ListAt(to []fs.FileInfo, off int64) (n int, err error) {
	for n < len(to) && int(off)+n < len(l) {
		to[n] = l[int(off)+n]
		n++
	}
	if n < len(to) {
		err = io.EOF
	}
	return n, err
}

type fileInfo struct {
	name string
	size int64
}

var modTime = time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return 0o644 }
func (i fileInfo) ModTime() time.Time { return modTime }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// want checks a run.
func want(t *testing.T, status, wantStatus int, text string, parts ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("exit status %d, want %d: %s", status, wantStatus, text)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

func TestList(t *testing.T) {
	s := newServer(t, map[string]string{"b.txt": "12345", "a.pdf": strings.Repeat("x", 3<<20)})
	status, out, errs := s.run(t, "", s.addr, "list")
	want(t, status, 0, errs)
	local := modTime.Local().Format("2006-01-02 15:04")
	if exact := "   3.0 MiB  " + local + "  a.pdf\n       5 B  " + local + "  b.txt\n"; out != exact {
		t.Errorf("printed\n%s\nwant\n%s", out, exact)
	}
	_, out, _ = s.run(t, "", s.addr, "ls", "*.txt")
	if strings.Contains(out, "a.pdf") || !strings.Contains(out, "b.txt") {
		t.Error(out)
	}
}

func TestGet(t *testing.T) {
	files := map[string]string{}
	for name, n := range map[string]int{"0": 0, "1": 1, "32767": 32767, "32768": 32768, "32769": 32769, "5 MiB": 5 << 20} {
		b := make([]byte, n)
		rand.Read(b)
		files[name] = string(b)
	}
	s := newServer(t, files)
	dir := t.TempDir()
	save(t, filepath.Join(dir, "1"), "an older one")
	status, _, errs := s.run(t, "", s.addr, "get", "1", "to", dir)
	want(t, status, exitSome, errs, "1: it is here already; --force replaces it")
	if got, _ := os.ReadFile(filepath.Join(dir, "1")); string(got) != "an older one" {
		t.Errorf("it was replaced unasked by %q", got)
	}
	status, out, errs := s.run(t, "", s.addr, "get", "--force", "0", "1", "absent", "32767", "32768", "32769", "5 MiB", "to", dir)
	want(t, status, exitSome, errs, "absent: ", "1 of 7 files failed")
	want(t, 0, 0, out, "got 5 MiB: 5.0 MiB in ")
	for name, text := range files {
		file := filepath.Join(dir, name)
		got, err := os.ReadFile(file)
		if err != nil || string(got) != text {
			t.Errorf("%s: %d bytes, want %d: %v", name, len(got), len(text), err)
		}
		if i, err := os.Stat(file); err != nil || !i.ModTime().Equal(modTime) {
			t.Errorf("%s: %v", name, i.ModTime())
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != len(files) {
		t.Errorf("left over: %v", all)
	}
}

// A server that ends a file early leaves nothing, and the old file as it was.
func TestGetShort(t *testing.T) {
	s := newServer(t, nil)
	h := s.handlers.FileGet.(*library)
	h.files, h.short = map[string]string{"f": strings.Repeat("x", 100_000)}, true
	dir := t.TempDir()
	save(t, filepath.Join(dir, "f"), "old")
	status, _, errs := s.run(t, "", s.addr, "get", "-f", "f", "to", dir)
	want(t, status, exitSome, errs, "f: it ended after 50000 of 100000 bytes")
	if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != "old" {
		t.Errorf("f holds %q", got)
	}
	all, _ := os.ReadDir(dir)
	for _, e := range all { // the beginning is kept, and hidden
		if e.Name() != "f" && !strings.HasPrefix(e.Name(), ".shelf-") {
			t.Errorf("left over: %v", e.Name())
		}
	}
}

func TestPut(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	dir := t.TempDir()
	var args []string
	for name, n := range map[string]int{"0": 0, "1": 1, "32768": 32768, "5 MiB": 5 << 20} {
		b := make([]byte, n)
		rand.Read(b)
		save(t, filepath.Join(dir, name), string(b))
		args = append(args, filepath.Join(dir, name))
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, dir, filepath.Join(dir, "fifo"), filepath.Join(dir, "absent"))
	status, out, errs := s.run(t, "", append([]string{s.addr, "put"}, args...)...)
	want(t, status, exitSome, errs, "fifo: this is not a regular file", dir+": this is a folder", "absent: ", "3 of 7 files failed")
	want(t, 0, 0, out, "put 5 MiB: 5.0 MiB in ")
	for _, name := range []string{"0", "1", "32768", "5 MiB"} {
		local, _ := os.ReadFile(filepath.Join(dir, name))
		if got, ok := files[name]; !ok || got != string(local) {
			t.Errorf("%s: %d bytes there, %d here", name, len(got), len(local))
		}
	}
}

// What goes wrong is said in the server's words, and is never published.
func TestPutFails(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	dir := t.TempDir()
	args := []string{s.addr, "put", "-j", "1"}
	for _, name := range []string{"fails late", "fails at close", "refused", "fine"} {
		save(t, filepath.Join(dir, name), strings.Repeat("x", 200_000))
		args = append(args, filepath.Join(dir, name))
	}
	status, _, errs := s.run(t, "", args...)
	want(t, status, exitSome, errs, "fails late: the disk is full\n", "fails at close: the quota is used up\n",
		`refused: permission denied: remove: you may \x1b[31mnot`, "3 of 4 files failed")
	if len(files) != 1 || len(files["fine"]) != 200_000 {
		t.Errorf("%d files were published", len(files))
	}
}

// The server's names are data.
func TestHostileNames(t *testing.T) {
	names := []string{"../up", "/etc/x", "a/b", "..", ".", "", "new\nline", "esc\x1b[2J", "c1\u009b2J", "bidi\u202etxt", "bad\xff"}
	files := map[string]string{}
	for _, name := range names {
		files[name] = "evil"
	}
	s := newServer(t, files)
	dir := filepath.Join(t.TempDir(), "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, out, _ := s.run(t, "", s.addr, "list")
	for _, r := range out {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0xfffd) {
			t.Errorf("%U is printed raw", r)
		}
	}
	if n := strings.Count(out, "\n"); n > len(names) {
		t.Errorf("%d lines for %d names:\n%s", n, len(names), out)
	}
	for _, name := range names[:3] { // a path on the server: what it leads to is saved in the folder here
		s.run(t, "", s.addr, "get", name, "to", dir)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 || all[0].Name() != "b" {
		t.Errorf("written: %v", all)
	}
	os.Remove(filepath.Join(dir, "b"))
	for _, name := range names[3:8] {
		status, _, errs := s.run(t, "", s.addr, "get", name, "to", dir)
		want(t, status, exitSome, errs, "cannot be the name of a file here")
		if strings.ContainsAny(errs, "\x1b") {
			t.Errorf("ESC is printed: %q", errs)
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != 0 {
		t.Errorf("written: %v", all)
	}
	if all, _ := os.ReadDir(filepath.Dir(dir)); len(all) != 1 {
		t.Errorf("written outside: %v", all)
	}
}

// Commands from a pipe: one a line, up to the first failure.
func TestPipe(t *testing.T) {
	s := newServer(t, map[string]string{"a b": "x", "c": "y"})
	dir := t.TempDir()
	script := "# a comment\n\nlist\nget 'a b' to " + dir + "\nquit\nlist nonsense nonsense\n"
	status, out, errs := s.run(t, script, s.addr)
	want(t, status, 0, errs)
	want(t, 0, 0, out, "got a b: ")
	if strings.Contains(out, "shelf>") {
		t.Error("a prompt is printed into a pipe")
	}
	status, out, errs = s.run(t, "get absent to "+dir+"\nget c to "+dir, s.addr)
	want(t, status, exitSome, errs, "absent: ")
	if out != "" {
		t.Errorf("it went on: %s", out)
	}
	status, out, _ = s.run(t, "get c to "+dir, s.addr)
	want(t, status, 0, out, "got c: ") // the last line needs no end
}

func TestUsage(t *testing.T) {
	s := newServer(t, nil)
	for _, row := range []struct {
		args []string
		says string
	}{
		{nil, "which server? shelf [user@]host[:port]"},
		{[]string{"sftp://ada:secret@host"}, "password in a URL"},
		{[]string{s.addr, "get", "--nonsense"}, "unknown flag: --nonsense; see help get"},
		{[]string{"--nonsense", s.addr}, "unknown flag: --nonsense; see shelf --help"},
		{[]string{"@"}, "@ is not a server"},
		{[]string{"host:99999"}, "port 99999"},
		{[]string{s.addr, "lits"}, "did you mean list?"},
		{[]string{s.addr, "frobnicate"}, "help lists them"},
		{[]string{s.addr, "mkdir", "x"}, "there is no command mkdir: a library of Shelf has no folders"},
		{[]string{s.addr, "cd", "x", "y"}, "cd [FOLDER]"},
		{[]string{s.addr, "get"}, "get NAME..."},
		{[]string{s.addr, "put"}, "put FILE..."},
		{[]string{s.addr, "list", "["}, "is not a valid pattern"},
	} {
		status, _, errs := s.run(t, "", row.args...)
		want(t, status, exitUsage, errs, row.says)
		if strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: more than a line: %s", row.args, errs)
		}
	}
	status, out, errs := s.run(t, "", s.addr, "help")
	want(t, status, 0, errs)
	for _, c := range commands() {
		want(t, 0, 0, out, c.usage)
	}
	_, out, _ = s.run(t, "", s.addr, "help", "ls")
	want(t, 0, 0, out, "list [PATTERN...]", "Also: dir, ls")
}

func TestHostKeys(t *testing.T) {
	s := newServer(t, nil)
	trusted := s.known
	s.known = filepath.Join(t.TempDir(), "new", "known_hosts")
	if tty, err := os.Open("/dev/tty"); err == nil {
		tty.Close()
	} else {
		status, _, errs := s.run(t, "", s.addr, "list")
		want(t, status, exitHostKey, errs, "is not known", "--accept-new")
	}
	if _, err := os.Stat(s.known); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an unknown key was recorded")
	}
	for range 2 {
		status, _, errs := s.run(t, "", "--accept-new", s.addr, "list")
		want(t, status, 0, errs)
	}
	recorded, err := os.ReadFile(s.known)
	if err != nil || bytes.Count(recorded, []byte("\n")) != 1 {
		t.Errorf("recorded %q, %v", recorded, err)
	}
	other := newKey(t)
	text, _ := os.ReadFile(trusted)
	host, _, _ := strings.Cut(string(text), " ")
	save(t, s.known, "# first line\n"+host+" "+string(ssh.MarshalAuthorizedKey(other.signer.PublicKey())))
	status, _, errs := s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, exitHostKey, errs, "CHANGED", "line 2 of "+s.known)
}

func TestNotLetIn(t *testing.T) {
	s := newServer(t, nil)
	save(t, s.identity, string(newKey(t).pem))
	t.Setenv("SSH_AUTH_SOCK", "")
	if tty, err := os.Open("/dev/tty"); err == nil {
		tty.Close()
		t.Skip("there is a terminal, where it would ask for a password")
	}
	status, _, errs := s.run(t, "", "ada@"+s.addr, "list")
	want(t, status, exitRefused, errs, "does not let ada in")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	status, _, errs = s.run(t, "", l.Addr().String(), "list")
	want(t, status, exitConnect, errs, "no connection to "+l.Addr().String())
}
