package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

var hostileFor = flag.Duration("hostile.for", 0, "how long TestHostileGuest takes; 0 is a minute, and an hour with -torture")

const (
	hostileConfig = `
audit_log = "audit"
library = "library"
login_grace_time = "10s"
per_source_penalty_exempt_list = []
[accounts.ann]
authorized_keys_file = "id.pub"
[accounts.boss]
authorized_keys_file = "id.pub"
[accounts.bob]
authorized_keys_file = "id.pub"
permissions = ["admin"]
[accounts.cat]
authorized_keys_file = "id.pub"
permissions = ["admin"]
[accounts.dan]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`
	// hostileMemory is the default of memory_limit and 64 MiB, in bytes.
	hostileMemory = 320 << 20

	// hostileLogin is how long an honest login may take with -torture. The machine of
	// a short run may be busy with anything.
	hostileLogin = 2 * time.Second
)

// TestHostileGuest has one account and the strangers of twenty addresses attack at
// random while three honest accounts work with stock clients. The honest are let in
// and served, memory stays bounded, and each act that was acknowledged has its line
// in the audit log.
func TestHostileGuest(t *testing.T) {
	need(t, "sftp")
	long := *hostileFor
	switch {
	case long == 0 && *torture:
		long = time.Hour
	case long == 0:
		long = time.Minute
	}
	s := serveConfigured(t, hostileConfig+fmt.Sprintf("[accounts.eve]\npassword_hash = %q\n", shelfdPasswd(t, "correct horse")))
	h := &attack{server: s, key: s.keyAuth(t), until: time.Now().Add(long), acts: make(map[act]bool)}
	sparse := filepath.Join(s.library, "sparse")
	if err := errors.Join(os.WriteFile(sparse, nil, 0o644), os.Truncate(sparse, 1<<40)); err != nil {
		t.Fatal(err)
	}
	s.put(t, "large", content(1, 8<<20))
	idle := s.resources(t).resident
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() { h.repeat(func() { h.stranger(fmt.Sprintf("127.0.1.%d", n+1)) }) })
	}
	for n := range 6 {
		all.Go(func() { h.repeat(func() { h.guest(fmt.Sprintf("127.0.2.%d", n+1)) }) })
	}
	for _, name := range []string{"bob", "cat", "dan"} {
		dir := t.TempDir()
		all.Go(func() { h.repeat(func() { h.honest(name, dir) }) })
	}
	all.Go(func() {
		h.repeat(func() {
			h.most = max(h.most, s.resources(t).resident)
			time.Sleep(100 * time.Millisecond)
		})
	})
	all.Wait()
	h.judge(t, idle)
}

// attack is a server under attack, and what has become of the honest.
type attack struct {
	*server
	key   ssh.AuthMethod
	until time.Time
	most  int64 // resident, in bytes

	mu      sync.Mutex
	logins  []time.Duration // of the honest; mu
	failed  []string        // what they could not do; mu
	acts    map[act]bool    // what was acknowledged; mu
	attacks int             // mu
}

// act is what an account has done, as a line of the audit log tells.
type act struct{ Op, Account, Name, Target string }

func (h *attack) repeat(do func()) {
	for time.Now().Before(h.until) && h.failures() < 20 {
		do()
	}
}

func (h *attack) failures() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.failed)
}

func (h *attack) fail(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, fmt.Sprintf(format, args...))
}

func (h *attack) done(all ...act) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range all {
		h.acts[a] = true
	}
}

// login logs in as an account from an address.
func (h *attack) login(source, account string, auth ssh.AuthMethod) (*ssh.Client, error) {
	conn, err := h.dialFrom(source)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	c, channels, requests, err := ssh.NewClientConn(conn, h.addr, &ssh.ClientConfig{
		User: account, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, channels, requests), nil
}

// honest logs in, copies a file there and back with sftp, renames and removes it.
func (h *attack) honest(account, dir string) {
	start := time.Now()
	client, err := h.login("127.0.0.1", account, h.key)
	took := time.Since(start)
	if err != nil {
		h.fail("%s: login: %v", account, err)
		return
	}
	client.Close()
	name, file := fmt.Sprintf("%s-%d", account, rand.Uint64()), filepath.Join(dir, "file")
	text := content(rand.Uint64(), 1+rand.Int64N(2<<20))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		h.fail("%v", err)
		return
	}
	cmd := exec.Command("sftp", "-F", h.config, "-o", "User="+account, "-b", "-", "shelf")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("put %q %s\nget %s %q\nls -l %s\nrename %s %s-2\nrm %s-2\n", file, name, name, file+".back", name, name, name, name))
	out, err := cmd.CombinedOutput()
	back, err2 := os.ReadFile(file + ".back")
	if err != nil || err2 != nil || !bytes.Equal(back, text) {
		h.fail("%s: %v, %v: %s", account, err, err2, out)
		return
	}
	h.done(act{"put", account, name, ""}, act{"get", account, name, ""}, act{"rename", account, name, name + "-2"}, act{"remove", account, name + "-2", ""})
	h.mu.Lock()
	h.logins = append(h.logins, took)
	h.mu.Unlock()
}

// stranger does one thing that strangers do.
func (h *attack) stranger(source string) {
	defer time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
	h.count()
	switch rand.IntN(5) {
	case 0: // says nothing
		if conn, err := h.dialFrom(source); err == nil {
			time.AfterFunc(3*time.Second, func() { conn.Close() })
		}
	case 1: // speaks no SSH
		if conn, err := h.dialFrom(source); err == nil {
			conn.SetDeadline(time.Now().Add(time.Second))
			io.CopyN(conn, rand.NewChaCha8([32]byte{}), 1<<20)
			conn.Close()
		}
	case 2, 3: // guesses
		account := []string{"eve", "nobody", strings.Repeat("x", 10000)}[rand.IntN(3)]
		h.gone(h.login(source, account, ssh.RetryableAuthMethod(ssh.Password("wrong"), 6)))
	case 4: // sends much before it is let in
		h.gone(h.login(source, strings.Repeat("x", 200<<10), h.key))
	}
}

func (h *attack) count() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attacks++
}

func (h *attack) gone(c *ssh.Client, err error) {
	if err == nil {
		c.Close()
	}
}

// guest does one thing that a greedy account does, and leaves after a while.
func (h *attack) guest(source string) {
	client, err := h.login(source, "ann", h.key)
	if err != nil {
		time.Sleep(50 * time.Millisecond)
		return
	}
	defer client.Close()
	defer time.AfterFunc(3*time.Second, func() { client.Close() }).Stop()
	h.count()
	attacks := []func(*ssh.Client){h.fill, h.fillSlowly, h.deaf, h.handles, h.digests, h.patterns, h.nonsense, h.uploads, h.crowd}
	attacks[rand.IntN(len(attacks))](client)
}

// fill sends to channels that run nothing.
func (h *attack) fill(client *ssh.Client) { h.flood(client, "", 32<<10) }

// fillSlowly sends pieces of one byte to a session of SFTP.
func (h *attack) fillSlowly(client *ssh.Client) { h.flood(client, "sftp", 1) }

// flood fills the windows of ten channels.
func (h *attack) flood(client *ssh.Client, subsystem string, piece int) {
	var all sync.WaitGroup
	for range 10 {
		channel, requests, err := client.OpenChannel("session", nil)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		if subsystem != "" {
			channel.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{subsystem}))
		}
		all.Go(func() {
			text := make([]byte, piece)
			for n := 0; n < 4<<20; n += piece {
				if _, err := channel.Write(text); err != nil {
					return
				}
			}
		})
	}
	all.Wait()
}

// deaf asks for a large file again and again, and reads no answer.
func (h *attack) deaf(client *ssh.Client) {
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	channel.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"sftp"}))
	channel.Write([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3})
	channel.Write([]byte("\x00\x00\x00\x12\x03\x00\x00\x00\x01\x00\x00\x00\x05large\x00\x00\x00\x01\x00\x00\x00\x00"))
	for range 100_000 {
		if _, err := channel.Write([]byte("\x00\x00\x00\x1a\x05\x00\x00\x00\x02\x00\x00\x00\x010\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00")); err != nil {
			return
		}
	}
}

// handles opens files until there are no more.
func (h *attack) handles(client *ssh.Client) {
	for range 10 {
		c, err := sftp.NewClient(client)
		if err != nil {
			return
		}
		for range 300 {
			if _, err := c.Open("large"); err != nil {
				break
			}
		}
	}
}

// digests asks for those of a file of a terabyte.
func (h *attack) digests(client *ssh.Client) {
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { execute(client, "sha512sum sparse") })
	}
	all.Wait()
}

// patterns asks for thousands of them.
func (h *attack) patterns(client *ssh.Client) {
	execute(client, "md5sum"+strings.Repeat(" nothing*", 5000))
}

func execute(client *ssh.Client, line string) {
	if session, err := client.NewSession(); err == nil {
		session.Run(line)
	}
}

// nonsense asks for what does not exist, by long names.
func (h *attack) nonsense(client *ssh.Client) {
	c, err := sftp.NewClient(client)
	for err == nil {
		name := strings.Repeat("n", rand.IntN(5000))
		if e := c.PosixRename(name, name+"2"); errors.Is(e, io.EOF) || errors.Is(e, sftp.ErrSSHFxConnectionLost) {
			return
		}
	}
}

// uploads publishes some files, and leaves others half done.
func (h *attack) uploads(client *ssh.Client) {
	c, err := sftp.NewClient(client)
	if err != nil {
		return
	}
	for range 30 {
		name := fmt.Sprintf("ann-%d", rand.Uint64())
		f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			return
		}
		f.Write(make([]byte, rand.IntN(100_000)))
		if rand.IntN(2) == 0 {
			continue
		}
		if f.Close() == nil {
			h.done(act{"put", "ann", name, ""})
			os.Remove(filepath.Join(h.library, name))
		}
	}
}

// crowd takes connections, as many as it can.
func (h *attack) crowd(first *ssh.Client) {
	source := first.LocalAddr().(*net.TCPAddr).IP.String()
	for range 40 {
		client, err := h.login(source, "ann", h.key)
		if err != nil {
			return
		}
		defer client.Close()
	}
}

// judge tells what has become of all.
func (h *attack) judge(t *testing.T, idle int64) {
	t.Helper()
	for _, what := range h.failed {
		t.Errorf("the honest failed: %s", what)
	}
	if len(h.logins) == 0 {
		t.Fatal("nobody honest was served")
	}
	slices.Sort(h.logins)
	slowest := h.logins[len(h.logins)-1]
	t.Logf("%d attacks; %d honest rounds, login median %v, slowest %v; resident %d MiB at first, at most %d MiB; %d acts",
		h.attacks, len(h.logins), h.logins[len(h.logins)/2], slowest, idle>>20, h.most>>20, len(h.acts))
	if *torture && slowest > hostileLogin {
		t.Errorf("a login took %v", slowest)
	}
	if !raceEnabled && h.most > hostileMemory {
		t.Errorf("%d MiB were resident", h.most>>20)
	}
	audit, err := os.Open(filepath.Join(h.dir, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	size := int64(0)
	for lines := json.NewDecoder(audit); ; {
		var line struct {
			act
			Result string
		}
		err := lines.Decode(&line)
		if err == io.EOF {
			size = lines.InputOffset()
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if line.Result == "ok" {
			delete(h.acts, line.act)
		}
	}
	t.Logf("the audit log has %d KiB", size>>10)
	if len(h.acts) > 0 {
		t.Errorf("%d acts that were acknowledged have no line: %v", len(h.acts), h.acts)
	}
}

// TestManyWindows has an account fill the windows of ten channels on each of forty
// connections. It once made the server hold 949 MiB. Another account copies meanwhile.
func TestManyWindows(t *testing.T) {
	need(t, "sftp")
	s := serveConfigured(t, hostileConfig)
	h := &attack{server: s, key: s.keyAuth(t), acts: make(map[act]bool)}
	var all sync.WaitGroup
	for range 40 {
		client, err := h.login("127.0.2.1", "ann", h.key)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		all.Go(func() { h.fill(client) })
		defer time.AfterFunc(4*time.Second, func() { client.Close() }).Stop()
	}
	h.honest("bob", t.TempDir())
	for range 40 {
		h.most = max(h.most, s.resources(t).resident)
		time.Sleep(100 * time.Millisecond)
	}
	all.Wait()
	t.Logf("at most %d MiB were resident", h.most>>20)
	if !raceEnabled && h.most > hostileMemory {
		t.Errorf("%d MiB were resident", h.most>>20)
	}
	for _, what := range h.failed {
		t.Error(what)
	}
}
