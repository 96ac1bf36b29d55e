package sshd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// testServer is a server on the loopback interface with one account, ana.
type testServer struct {
	*Server
	address string
	key     ssh.Signer // ana's
	file    string     // ana's authorized_keys
	hostKey ssh.PublicKey
	log     *buffer
	events  *events
}

// serve starts a server with a configuration that edit may change. It is stopped
// when the test ends.
func serve(t *testing.T, edit func(*Config)) *testServer {
	t.Helper()
	s := &testServer{key: newKey(t), log: new(buffer), events: new(events)}
	s.file = filepath.Join(t.TempDir(), "authorized_keys")
	s.authorize(t, s.key.PublicKey(), "")
	hostKey := newKey(t)
	s.hostKey = hostKey.PublicKey()
	library := openLibrary(t)
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	accounts, err := keys.NewAccounts(keys.Options{Accounts: []keys.Account{{Name: "ana", AuthorizedKeys: keys.NewAuthorizedKeys(s.file, log)}}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		HostKeys: []ssh.Signer{hostKey}, Accounts: accounts, Limits: testLimits(),
		Session: serviceOf(library), Report: s.events.add, Log: log,
	}
	if edit != nil {
		edit(&config)
	}
	if s.Server, err = New(config); err != nil {
		t.Fatal(err)
	}
	s.run(t)
	return s
}

// serviceOf serves a library to everybody.
func serviceOf(l vfs.Library) func(keys.Identity) (Service, error) {
	return func(keys.Identity) (Service, error) {
		return Service{Options: access.Options{Library: l, Permissions: vfs.DefaultPermissions()}}, nil
	}
}

func openLibrary(t *testing.T) vfs.Library {
	t.Helper()
	library, err := local.Open(t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { library.Close() })
	return library
}

func (s *testServer) run(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // no grace: connections are closed at once
		s.Shutdown(ended)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// authorize writes ana's authorized_keys, with one key and its options.
func (s *testServer) authorize(t *testing.T, key ssh.PublicKey, options string) {
	t.Helper()
	line := options + " " + string(ssh.MarshalAuthorizedKey(key))
	if err := os.WriteFile(s.file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newPrivateKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(newPrivateKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// clientConfig is the configuration of a client that logs in as ana.
func (s *testServer) clientConfig() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User: "ana", Auth: []ssh.AuthMethod{ssh.PublicKeys(s.key)},
		HostKeyCallback: ssh.FixedHostKey(s.hostKey), Timeout: patience,
	}
}

func (s *testServer) dial(t *testing.T) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", s.address, s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// dialSFTP logs in and starts SFTP.
func (s *testServer) dialSFTP(t *testing.T) (*ssh.Client, *sftp.Client) {
	t.Helper()
	conn := s.dial(t)
	client, err := sftp.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return conn, client
}

// works checks that a new client is served.
func (s *testServer) works(t *testing.T) {
	t.Helper()
	conn, client := s.dialSFTP(t)
	defer conn.Close()
	if _, err := client.ReadDir("/"); err != nil {
		t.Error(err)
	}
}

// buffer is a log that several goroutines write and a test reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// events are the events that a server has reported.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) add(one Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
	return nil
}

// find returns the first event of an operation, if there is one yet.
func (e *events) find(op string) (Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.all {
		if one.Op == op {
			return one, true
		}
	}
	return Event{}, false
}

// await waits for an event.
func (e *events) await(t *testing.T, op string) Event {
	t.Helper()
	var found Event
	eventually(t, "an event of "+op, func() (ok bool) {
		found, ok = e.find(op)
		return ok
	})
	return found
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s never came", what)
		}
	}
}

func TestPutAndGet(t *testing.T) {
	s := serve(t, nil)
	conn, client := s.dialSFTP(t)
	f, err := client.Create("/hello")
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("hello "), 50000)
	if _, err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if f, err = client.Open("hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %d bytes (%v), want the %d that were put", got.Len(), err, len(want))
	}
	client.Close()
	conn.Close()
	s.wantEvents(t, int64(len(want)))
}

func (s *testServer) wantEvents(t *testing.T, size int64) {
	t.Helper()
	login := s.events.await(t, OpLogin)
	put := s.events.await(t, "put")
	s.events.await(t, "get")
	s.events.await(t, OpLogout)
	if put.Name != "hello" && put.Name != "/hello" || put.Bytes != size {
		t.Errorf("the put was reported as %+v", put)
	}
	for _, e := range []Event{login, put} {
		if e.Account != "ana" || e.Method != "publickey" || e.Conn != login.Conn || e.Conn == "" ||
			e.KeyFingerprint != ssh.FingerprintSHA256(s.key.PublicKey()) ||
			e.ClientVersion != "SSH-2.0-Go" || !strings.HasPrefix(e.Source, "127.0.0.1:") {
			t.Errorf("the event does not say who it was: %+v", e)
		}
	}
	if last := s.events.all[len(s.events.all)-1]; last.Op != OpLogout {
		t.Errorf("the last event is %s, want the logout", last.Op)
	}
}

func TestNewRefuses(t *testing.T) {
	good := func() Config {
		accounts, err := keys.NewAccounts(keys.Options{Accounts: []keys.Account{{Name: "ana", AuthorizedKeys: keys.NewAuthorizedKeys("x", nil)}}})
		if err != nil {
			t.Fatal(err)
		}
		return Config{
			HostKeys: []ssh.Signer{newKey(t)}, Accounts: accounts, Limits: testLimits(),
			Session: func(keys.Identity) (Service, error) { return Service{}, nil },
		}
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no host key":      func(c *Config) { c.HostKeys = nil },
		"no accounts":      func(c *Config) { c.Accounts = nil },
		"nothing to serve": func(c *Config) { c.Session = nil },
		"no limits":        func(c *Config) { c.Limits = Limits{} },
		"no sessions":      func(c *Config) { c.Limits.MaxSessions = 0 },
		"endless tries":    func(c *Config) { c.Limits.MaxAuthTries = -1 },
		"a negative time":  func(c *Config) { c.Limits.LoginGraceTime = -1 },
		"no startups":      func(c *Config) { c.Limits.MaxStartups = 0 },
	} {
		c := good()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A panic in the work for one client ends only that client's connection.
func TestPanicEndsOneConnection(t *testing.T) {
	var faulty sync.Once
	s := serve(t, func(c *Config) {
		good := c.Session
		c.Session = func(id keys.Identity) (Service, error) {
			faulty.Do(func() { panic("a fault of the test") })
			return good(id)
		}
	})
	if victim, err := ssh.Dial("tcp", s.address, s.clientConfig()); err == nil {
		victim.Close()
		t.Error("a session began whose options were never made")
	}
	s.works(t)
	if log := s.log.String(); !strings.Contains(log, "a fault of the test") || !strings.Contains(log, "server_test.go") {
		t.Errorf("the log does not say what and where:\n%s", log)
	}
}

// When a client has left, no goroutine is left of it, whether its connection was
// closed or cut.
func TestGoroutinesEndWithTheirClients(t *testing.T) {
	s := serve(t, nil)
	s.works(t) // goroutines that start once have started
	eventually(t, "an idle server", func() bool { return s.Count() <= 1 })
	idle := goleak.IgnoreCurrent()
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() { s.visit(t, n%2 == 0) })
	}
	all.Wait()
	eventually(t, "the end of their goroutines", func() bool { return goleak.Find(idle) == nil })
}

// visit uploads a file, or leaves before the upload is complete.
func (s *testServer) visit(t *testing.T, cut bool) {
	conn, err := ssh.Dial("tcp", s.address, s.clientConfig())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	client, err := sftp.NewClient(conn)
	if err != nil {
		t.Error(err)
		return
	}
	f, err := client.Create(rand.Text())
	if err == nil {
		_, err = f.Write(make([]byte, 100_000))
	}
	if err == nil && !cut {
		err = f.Close()
		client.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestShutdownWaitsForOpenFiles(t *testing.T) {
	s := serve(t, nil)
	idle := s.dial(t)
	busy, client := s.dialSFTP(t)
	f, err := client.Create("/upload")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	idle.Wait() // it had nothing open
	if conn, err := net.Dial("tcp", s.address); err == nil {
		conn.Close()
		t.Error("a server that stops still accepts")
	}
	if _, err := f.Write([]byte("whole")); err != nil {
		t.Errorf("an upload was cut off: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("an upload was cut off: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	busy.Wait()
	if put, ok := s.events.find("put"); !ok || put.Err != nil {
		t.Errorf("the upload was not published: %+v", put)
	}
}

func TestShutdownCutsOffAtTheEndOfGrace(t *testing.T) {
	s := serve(t, nil)
	conn, client := s.dialSFTP(t)
	if _, err := client.Create("/upload"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown does not tell that it cut somebody off")
	}
	conn.Wait()
	if put := s.events.await(t, "put"); put.Err == nil {
		t.Errorf("half an upload was published: %+v", put)
	}
}

func TestServeAfterShutdown(t *testing.T) {
	s := serve(t, nil)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), l); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open")
	}
}
