package sshd

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// asks opens a channel and sends a request on it.
func asks(t *testing.T, client *ssh.Client, kind string, payload []byte) bool {
	t.Helper()
	channel, _ := openSession(t, client)
	defer channel.Close()
	ok, err := channel.SendRequest(kind, true, payload)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Whoever asks for what there is not here has a line, with what it was.
func TestUnservedIsReported(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	target := ssh.Marshal(struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}{"db.internal", 5432, "::1", 9})
	client.OpenChannel("direct-tcpip", target)
	client.OpenChannel("direct-streamlocal@openssh.com", ssh.Marshal(struct {
		Path, Reserved string
		Number         uint32
	}{"/run/docker.sock", "", 0}))
	client.SendRequest("tcpip-forward", true, ssh.Marshal(struct {
		Host string
		Port uint32
	}{"::", 22}))
	client.SendRequest("other@example.com", true, nil)
	client.SendRequest("keepalive@openssh.com", true, nil)
	asks(t, client, "env", ssh.Marshal(struct{ Name, Value string }{"LANG", "C"}))
	asks(t, client, "x11-req", nil)
	asks(t, client, "subsystem", str("netconf"))
	if !asks(t, client, "pty-req", ssh.Marshal(struct {
		Term       string
		A, B, C, D uint32
		Modes      string
	}{Term: "xterm"})) || !asks(t, client, "shell", nil) || !asks(t, client, "exec", str("id")) {
		t.Error("not granted")
	}
	want := []string{
		"forward direct-tcpip db.internal:5432 refused", "forward direct-streamlocal@openssh.com /run/docker.sock refused",
		"forward tcpip-forward [::]:22 refused", "request other@example.com refused", "request x11-req refused",
		"subsystem netconf refused", "pty xterm ok", "shell  refused", "exec id refused",
	}
	s.events.await(t, OpExec)
	s.events.await(t, OpShell)
	client.Close()
	s.events.await(t, OpLogout)
	var got []string
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	for _, e := range s.events.all {
		if e.Op != OpLogin && e.Op != OpLogout {
			got = append(got, fmt.Sprintf("%s %s %s", e.Op, e.Name, e.Result()))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// One connection cannot fill the log with them.
func TestUnservedIsBounded(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	for range maxUnserved + 7 {
		client.SendRequest("other", true, nil)
	}
	client.Close()
	if e := s.events.await(t, OpLogout); e.Omitted != 7 {
		t.Errorf("%+v", e)
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	if n := len(s.events.all); n != maxUnserved+2 {
		t.Errorf("%d events", n)
	}
}
