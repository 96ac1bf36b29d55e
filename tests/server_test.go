package tests

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// patience bounds every wait for something that must happen. Nothing is
// measured by it: it only keeps a broken program from holding up the tests.
const patience = 60 * time.Second

// user is the account of every server under test.
const user = "ada"

// server is a shelfd under test, with one account, user.
type server struct {
	dir      string // where it was started, and where the following lie
	library  string // folder
	state    string // folder
	identity string // file of user's private key; ".pub" is added for the public one
	config   string // file: an ssh_config in which the host "shelf" is this server
	addr     string // where it listens: 127.0.0.1:port

	cmd    *exec.Cmd
	stdout *output
	stderr *output
	exited chan struct{} // closed when the process is gone, then exit is set
	exit   error

	pair *pair
}

// pair is a server and the one beside it, if there is one.
type pair struct {
	first  string                 // where the server listens
	second atomic.Pointer[server] // nil is none
	turn   atomic.Int64
	pinned atomic.Bool // clients come to the first alone
}

// beside has a second server on the folders of each server, with the same state. Clients
// in the test process come to the two in turns, and stock clients to the first. The
// second one dies with the first.
var beside = flag.Bool("beside", false, "have a second server beside each server")

// besideAudit is the audit log of the second one, in the folder of the first.
const besideAudit = "beside-audit"

// startBeside starts the second server.
func (s *server) startBeside(args []string) error {
	o, err := newServer(s.dir)
	if err != nil {
		return err
	}
	o.library, o.state, o.identity = s.library, s.state, s.identity
	o.config = s.config + "-beside"
	args = append(slices.Clone(args), "--listen", "127.0.0.1:0", "--admin-socket", filepath.Join(s.dir, "beside.sock"), "--audit-log", filepath.Join(s.dir, besideAudit))
	if err := o.run(args); err != nil {
		return fmt.Errorf("the second server: %w", err)
	}
	s.pair.first = s.addr
	s.pair.second.Store(o)
	return nil
}

// address is where a client connects to, in turns.
func (s *server) address() string {
	if s.pair == nil {
		return s.addr
	}
	// A test may have put something before the server, which has another address.
	if o := s.pair.second.Load(); o != nil && s.addr == s.pair.first && !s.pair.pinned.Load() && s.pair.turn.Add(1)%2 == 0 {
		return o.addr
	}
	return s.addr
}

// serve starts a server with a folder of its own and more arguments for
// `shelfd serve`. When the test ends, the server gets SIGTERM and must exit with
// status 0.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	s, err := startServer(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	return s
}

// stopAtEnd stops a server when the test ends.
func stopAtEnd(t testing.TB, s *server) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
}

// startServer starts a server whose files all lie in dir, and returns when it
// listens. A library that is there already is served as it is.
func startServer(dir string, args ...string) (*server, error) {
	s, err := newServer(dir)
	if err != nil {
		return nil, err
	}
	return s, s.start(append([]string{"--library", s.library, "--user", user, "--authorized-keys", s.identity + ".pub"}, args...))
}

// startConfigured starts a server as a configuration file says, which lies in
// dir with all that it names; the key of the tests is there too, as id.pub.
func startConfigured(dir, toml string) (*server, error) {
	s, err := newServer(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "shelfd.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		return nil, err
	}
	return s, s.start([]string{"--config", file})
}

// mustStart is startConfigured for a test that needs the server, and stops or kills it
// itself. One that fails before leaves none behind.
func mustStart(t testing.TB, dir, toml string) *server {
	t.Helper()
	s, err := startConfigured(dir, toml)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	return s
}

// serveIn is mustStart of a server that is stopped when the test ends.
func serveIn(t testing.TB, dir, toml string) *server {
	t.Helper()
	s := mustStart(t, dir, toml)
	stopAtEnd(t, s)
	return s
}

// another starts one more server with the configuration of this one, as n of them, for
// the same libraries and with the same state.
func (s *server) another(n int) (*server, error) {
	o, err := newServer(s.dir)
	if err != nil {
		return nil, err
	}
	o.config = fmt.Sprintf("%s-%d", o.config, n)
	return o, o.start([]string{"--config", filepath.Join(s.dir, "shelfd.toml")})
}

func newServer(dir string) (*server, error) {
	s := &server{
		dir:      dir,
		library:  filepath.Join(dir, "library"),
		state:    filepath.Join(dir, "state"),
		identity: filepath.Join(dir, "id"),
		config:   filepath.Join(dir, "ssh_config"),
		stdout:   newOutput(),
		stderr:   newOutput(),
		exited:   make(chan struct{}),
		pair:     new(pair),
	}
	if err := os.MkdirAll(s.library, 0o755); err != nil {
		return nil, err
	}
	if err := s.plantHostKey(); err != nil {
		return nil, err
	}
	return s, makeKey(s.identity)
}

// plantHostKey spares a server whose state folder is new the making of an RSA key,
// which takes long: all tests have the same.
func (s *server) plantHostKey() error {
	if _, err := os.Lstat(s.state); err == nil {
		return nil
	}
	key, err := sharedRSAKey()
	if err != nil {
		return err
	}
	return errors.Join(os.Mkdir(s.state, 0o700), os.WriteFile(filepath.Join(s.state, "ssh_host_rsa_key"), key, 0o600))
}

var sharedRSAKey = sync.OnceValues(func() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
})

// start runs the program and waits for the line that says where it listens.
func (s *server) start(args []string) error {
	if err := s.run(args); err != nil || !*beside {
		return err
	}
	return s.startBeside(args)
}

// run is start of one server.
func (s *server) run(args []string) error {
	s.cmd = exec.Command("shelfd", append([]string{"serve", "--listen", "127.0.0.1:0", "--state", s.state}, args...)...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.exit = s.cmd.Wait()
		if o := s.pair.second.Load(); o != nil {
			o.cmd.Process.Kill()
			<-o.exited
		}
		close(s.exited)
	}()
	if err := s.awaitAddr(); err != nil {
		s.cmd.Process.Kill()
		return err
	}
	return s.writeConfig()
}

// reload has the server read its configuration again, and the one beside it, and waits
// until their logs say that they have, in these words.
func (s *server) reload(t *testing.T, said string) {
	t.Helper()
	times := func() (all []int) {
		for _, one := range s.all() {
			all = append(all, strings.Count(one.stderr.String(), said))
		}
		return all
	}
	before := times()
	s.hangUp()
	eventually(t, "the server has read it", func() bool {
		for i, n := range times() {
			if n <= before[i] {
				return false
			}
		}
		return true
	})
}

// hangUp sends them SIGHUP.
func (s *server) hangUp() {
	for _, one := range s.all() {
		one.cmd.Process.Signal(syscall.SIGHUP)
	}
}

// pin has clients come to this server from now on, and not to the one beside it.
func (s *server) pin() { s.pair.pinned.Store(true) }

// said is what both have logged; the events of the one beside it are in its audit log.
func (s *server) said() string {
	text := s.stderr.String()
	for _, one := range s.all()[1:] {
		events, _ := os.ReadFile(filepath.Join(one.dir, besideAudit))
		text += one.stderr.String() + string(events)
	}
	return text
}

// auditLog is the text of the audit log of that name, and of that of the one beside it.
func (s *server) auditLog(t testing.TB, name string) string {
	t.Helper()
	text := slurp(t, filepath.Join(s.dir, name))
	for _, one := range s.all()[1:] {
		text = append(text, slurp(t, filepath.Join(one.dir, besideAudit))...)
	}
	return string(text)
}

// all are the server and the one beside it, if there is one.
func (s *server) all() []*server {
	if s.pair != nil && s.pair.second.Load() != nil {
		return []*server{s, s.pair.second.Load()}
	}
	return []*server{s}
}

var listening = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func (s *server) awaitAddr() error {
	deadline := time.After(patience)
	for {
		if line, ok := s.stdout.line(); ok {
			s.addr = listening.FindString(line)
			if s.addr == "" {
				return fmt.Errorf("shelfd's first line has no address: %q", line)
			}
			return nil
		}
		select {
		case <-s.stdout.grew:
		case <-s.exited:
			return fmt.Errorf("shelfd did not start: %w\n%s", s.exit, s.stderr)
		case <-deadline:
			return fmt.Errorf("shelfd printed no line\n%s", s.stderr)
		}
	}
}

// hasEnded tells whether the process is gone; the second one is killed then.
func (s *server) hasEnded() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// stop ends the server as a service manager does. It may be called again.
func (s *server) stop() error {
	if o := s.pair.second.Load(); o != nil {
		if err := o.stop(); err != nil && !s.hasEnded() {
			s.cmd.Process.Kill()
			return fmt.Errorf("the second server: %w", err)
		}
		s.pair.second.Store(nil)
	}
	// Signal fails when the process is gone already; its status tells why.
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.cmd.Process.Kill()
		return fmt.Errorf("shelfd did not end on SIGTERM\n%s", s.stderr)
	}
	if s.exit != nil {
		return fmt.Errorf("shelfd ended with %w\n%s", s.exit, s.stderr)
	}
	return nil
}

// writeConfig writes the ssh_config that stock clients are run with. The
// person's own configuration, keys and known hosts have no part in a test.
func (s *server) writeConfig() error {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`Host shelf
HostName %s
Port %s
User %s
IdentityFile "%s"
IdentitiesOnly yes
UserKnownHostsFile "%s"
StrictHostKeyChecking accept-new
BatchMode yes
LogLevel ERROR
`, host, port, user, s.identity, filepath.Join(s.dir, "known_hosts"))
	return os.WriteFile(s.config, []byte(config), 0o600)
}

// put writes a file into the library from the server's side.
func (s *server) put(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.library, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// get reads a file of the library from the server's side.
func (s *server) get(t testing.TB, name string) []byte {
	t.Helper()
	return slurp(t, filepath.Join(s.library, name))
}

// slurp reads files, one after the other.
func slurp(t testing.TB, files ...string) (all []byte) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// stages lists the uploads and partials in the library's hidden folder.
func (s *server) stages(t testing.TB) []os.DirEntry {
	t.Helper()
	entries, err := hidden(s.library)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return entries
}

// hidden lists what lies in the hidden folder of a library and in its folders, but
// for locks.
func hidden(library string) (all []os.DirEntry, err error) {
	err = filepath.WalkDir(filepath.Join(library, ".shelf"), func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) && e != nil && e.IsDir() {
			return nil // of an instance that has ended meanwhile
		}
		if err == nil && e.IsDir() && e.Name() == "versions" {
			return filepath.SkipDir // what was replaced
		}
		if err == nil && !e.IsDir() && !slices.Contains([]string{"lock", "names", "owner"}, e.Name()) {
			all = append(all, e)
		}
		return err
	})
	return all, err
}

// makeKey makes an ed25519 key pair: file and file.pub. It leaves one that is
// there alone, so that a server can be started again.
func makeKey(file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, user)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	return os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644)
}

// output collects what a program prints and says when there is more.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
	grew chan struct{}
}

func newOutput() *output { return &output{grew: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grew <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

// line is the first line, once it is whole.
func (o *output) line() (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	line, _, ok := bytes.Cut(o.text.Bytes(), []byte("\n"))
	return string(line), ok
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// eventually polls until ok, and fails the test if that takes for ever.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
