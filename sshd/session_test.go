package sshd

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// openSession opens a channel on which no program runs yet.
func openSession(t *testing.T, client *ssh.Client) (ssh.Channel, <-chan *ssh.Request) {
	t.Helper()
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { channel.Close() })
	return channel, requests
}

// outcome reads a channel to its end: stderr, and the exit status or -1.
func outcome(t *testing.T, channel ssh.Channel, requests <-chan *ssh.Request) (string, int) {
	t.Helper()
	text, err := io.ReadAll(channel.Stderr())
	if err != nil {
		t.Fatal(err)
	}
	status := -1
	for r := range requests {
		var p struct{ Status uint32 }
		if r.Type == "exit-status" && ssh.Unmarshal(r.Payload, &p) == nil {
			status = int(p.Status)
		}
	}
	return string(text), status
}

func TestNoShellNoCommands(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	for name, test := range map[string]struct {
		request string
		payload []byte
		want    string // on stderr
		status  int
	}{
		"shell":              {"shell", nil, "sftp", exitFailure},
		"exec":               {"exec", str("id"), "does not run programs", exitNotFound},
		"exec without bytes": {"exec", nil, "does not run programs", exitNotFound},
		"exec of one byte":   {"exec", []byte{0}, "does not run programs", exitNotFound},
		"exec of two bytes":  {"exec", []byte{0, 0}, "does not run programs", exitNotFound},
		"exec of three":      {"exec", []byte{0, 0, 9}, "does not run programs", exitNotFound},
		"exec, too short":    {"exec", []byte{0xff, 0xff, 0xff, 0xff, 'i'}, "does not run programs", exitNotFound},
		"an end of a file":   {"subsystem", str("sftp"), "", exitOK},
	} {
		t.Run(name, func(t *testing.T) {
			channel, requests := openSession(t, client)
			if ok, err := channel.SendRequest(test.request, true, test.payload); !ok {
				t.Fatalf("refused (%v), so that nothing can be said", err)
			}
			channel.CloseWrite()
			text, status := outcome(t, channel, requests)
			if !strings.Contains(text, test.want) || status != test.status {
				t.Errorf("got %q and status %d, want %q and %d", text, status, test.want, test.status)
			}
		})
	}
}

// ptyReq is the payload of a pty-req.
func ptyReq() []byte {
	return ssh.Marshal(struct {
		Term         string
		W, H, PW, PH uint32
		Modes        string
	}{"xterm", 80, 24, 0, 0, "\x00"})
}

// A client that asked for a terminal is told on stdout what this is: it may not
// read stderr. What follows the start of a program can't change that.
func TestTerminalIsTold(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	for _, request := range []string{"shell", "exec"} {
		channel, requests := openSession(t, client)
		for n := range 20 { // payloads that are too short
			if ok, err := channel.SendRequest("pty-req", true, ptyReq()[:n]); ok || err != nil {
				t.Errorf("a terminal by %d bytes: granted %v, %v", n, ok, err)
			}
		}
		for _, name := range []string{"pty-req", request} {
			payload := ptyReq()
			if name == request {
				payload = str("ls")
			}
			if ok, err := channel.SendRequest(name, true, payload); !ok {
				t.Fatalf("%s is refused: %v", name, err)
			}
		}
		said, err := io.ReadAll(channel)
		stderr, status := outcome(t, channel, requests)
		if err != nil || stderr != "" || status < exitFailure || !strings.Contains(string(said), "file service") || strings.Count(string(said), "\r\n") != 2 {
			t.Errorf("%s: %q, %v, on stderr %q, status %d", request, said, err, stderr, status)
		}
	}
	channel, _ := openSession(t, client)
	for _, name := range []string{"subsystem", "pty-req"} {
		payload := str("sftp")
		if name == "pty-req" {
			payload = ptyReq()
		}
		if ok, err := channel.SendRequest(name, true, payload); err != nil || ok != (name == "subsystem") {
			t.Errorf("%s: granted %v, %v", name, ok, err)
		}
	}
}

// str is an SSH string (RFC 4251 section 5).
func str(s string) []byte { return ssh.Marshal(struct{ S string }{s}) }

func TestRequestsRefused(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	for name, payload := range map[string][]byte{
		"env":                          append(str("LD_PRELOAD"), str("/tmp/x.so")...),
		"x11-req":                      nil,
		"auth-agent-req@openssh.com":   nil,
		"window-change":                nil,
		"signal":                       str("KILL"),
		"break":                        nil,
		"subsystem":                    str("netconf"),
		"eow@openssh.com":              nil,
		"":                             nil,
		"no-such-thing\x1b[2J@nowhere": []byte("?"),
	} {
		channel, _ := openSession(t, client)
		for n := range 4 { // payloads that are too short
			if ok, err := channel.SendRequest(name, true, make([]byte, n)); ok || err != nil {
				t.Errorf("%q with %d bytes: granted %v, %v", name, n, ok, err)
			}
		}
		if ok, err := channel.SendRequest(name, true, payload); ok || err != nil {
			t.Errorf("%q: granted %v, %v", name, ok, err)
		}
		channel.Close()
	}
	s.works(t)
}

// A channel runs one program (RFC 4254 section 6.5).
func TestSecondProgramRefused(t *testing.T) {
	s := serve(t, nil)
	channel, _ := openSession(t, s.dial(t))
	for i, request := range []string{"subsystem", "subsystem", "shell", "exec"} {
		ok, err := channel.SendRequest(request, true, str("sftp"))
		if err != nil || ok != (i == 0) {
			t.Errorf("%s as request %d: granted %v, %v", request, i, ok, err)
		}
	}
}

func TestForwardingRefused(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	for _, kind := range []string{
		"direct-tcpip", "forwarded-tcpip", "direct-streamlocal@openssh.com", "x11",
		"auth-agent@openssh.com", "tun@openssh.com", "sessions", "",
	} {
		if channel, _, err := client.OpenChannel(kind, []byte{0, 1}); err == nil {
			channel.Close()
			t.Errorf("a channel %q was opened", kind)
		}
	}
	for _, name := range []string{"tcpip-forward", "cancel-tcpip-forward", "streamlocal-forward@openssh.com", "x"} {
		if ok, _, err := client.SendRequest(name, true, []byte{0}); ok || err != nil {
			t.Errorf("global request %q: granted %v, %v", name, ok, err)
		}
	}
	s.works(t)
}

func TestGlobalRequestsByTheThousand(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	for range 20000 {
		if _, _, err := client.SendRequest("flood@example.com", false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if ok, _, err := client.SendRequest("flood@example.com", true, nil); ok || err != nil {
		t.Errorf("granted %v, %v", ok, err)
	}
}

func TestSessionsOfAConnectionAreCapped(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	limit := testLimits().MaxSessions
	var open []ssh.Channel
	for range limit {
		channel, _ := openSession(t, client)
		open = append(open, channel)
	}
	for range 100 {
		if channel, _, err := client.OpenChannel("session", nil); err == nil {
			channel.Close()
			t.Fatal("one session too many was opened")
		}
	}
	open[3].Close()
	eventually(t, "room for another session", func() bool {
		channel, _, err := client.OpenChannel("session", nil)
		if err == nil {
			channel.Close()
		}
		return err == nil
	})
}

// A person whose login is refused is told why.
func TestReasonOfARefusedSession(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Session = func(keys.Identity) (Service, error) { return Service{}, errors.New("the library is closed") }
	})
	s.refusesLogin(t, "Login refused: the library is closed.")
}

// refusesLogin checks that a login is refused with a banner that has text in it.
func (s *testServer) refusesLogin(t *testing.T, text string) {
	t.Helper()
	var banner string
	c := s.clientConfig()
	c.BannerCallback = func(text string) error { banner += text; return nil }
	if client, err := ssh.Dial("tcp", s.address, c); err == nil {
		client.Close()
		t.Fatal("logged in")
	}
	if !strings.Contains(banner, text) {
		t.Errorf("the person was told %q", banner)
	}
}
