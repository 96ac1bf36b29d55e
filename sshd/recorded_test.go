package sshd

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A login that cannot be recorded is refused or, if that shows only when its
// line is written, ended.
func TestLoginIsRecorded(t *testing.T) {
	full := errors.New("full")
	for name, edit := range map[string]func(*Config){
		"not ready": func(c *Config) { c.Ready = func() error { return full } },
		"no line": func(c *Config) {
			c.Report = func(e Event) error {
				if e.Op == OpLogin {
					return full
				}
				return nil
			}
		},
	} {
		s := serve(t, edit)
		client, err := ssh.Dial("tcp", s.address, s.clientConfig())
		if err != nil {
			continue
		}
		if session, err := client.NewSession(); err == nil {
			session.Close()
			t.Errorf("%s: served", name)
		}
		client.Close()
	}
}

// Events have the beginning of long texts, and how long they were.
func TestEventsAreClipped(t *testing.T) {
	s := serve(t, nil)
	client, err := ssh.Dial("tcp", s.address, s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	session.Run("nothing " + strings.Repeat("x", 20000))
	if e := s.events.await(t, OpExec); len(e.Name) > 300 || !strings.HasSuffix(e.Name, "... (20008 bytes)") {
		t.Errorf("the name has %d bytes: %s", len(e.Name), e.Name)
	}
}
