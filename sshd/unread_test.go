package sshd

import (
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"shelf/keys"
	"shelf/sshd/backlog"
	"shelf/sshd/budget"
)

// TestUnreadDataIsSeen looks into a channel of x/crypto. If this fails after a new
// version of it, backlog/queue.go has other fields to read.
func TestUnreadDataIsSeen(t *testing.T) {
	s := serve(t, nil)
	channel, _ := openSession(t, s.dial(t))
	eventually(t, "it is logged in", func() bool { return len(s.backlogs()) == 1 })
	b := s.backlogs()[0]
	channel.Write(make([]byte, 1000))
	channel.Write(make([]byte, 500))
	eventually(t, "both pieces are seen", func() bool { n := b.Size(); return n > 1500 && n < 2000 })
}

func (s *testServer) backlogs() (all []*backlog.Backlog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if b := c.wire.Backlog(); b != nil {
			all = append(all, b)
		}
	}
	return all
}

// TestUnreadDataOfAnAccountIsBounded fills the windows of many channels on two
// connections, whose programs hardly read.
func TestUnreadDataOfAnAccountIsBounded(t *testing.T) {
	const most, connections = 3 << 20, 2
	const ahead = 1 << 20 // what a connection may have besides, and what comes between two looks
	s := serve(t, func(c *Config) {
		c.Limits.PerAccount.Memory = most
		serve := c.Session
		c.Session = func(id keys.Identity) (Service, error) {
			service, err := serve(id)
			service.Upload = rate.NewLimiter(100, 100)
			return service, err
		}
	})
	var channels []ssh.Channel
	for range connections {
		client := s.dial(t)
		for range 5 {
			channel, _ := openSession(t, client)
			if ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"sftp"})); !ok {
				t.Fatal(err)
			}
			channels = append(channels, channel)
		}
	}
	for _, channel := range channels {
		// INIT, and a WRITE that is read for half an hour.
		channel.Write([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3, 0, 3, 0, 0, 6, 0, 0, 0, 1})
		go io.Copy(channel, neverEnding(0))
	}
	eventually(t, "its memory is used up", func() bool { return s.gate.budget.Used(budget.Memory) > most*3/4 })
	for range 50 {
		time.Sleep(10 * time.Millisecond)
		if got := s.unread(); got > most+connections*ahead {
			t.Fatalf("%d bytes are unread", got)
		}
	}
	s.closeConns(func(*conn) bool { return true })
	eventually(t, "it is given back", func() bool { return s.gate.budget.Used(budget.Memory) == 0 })
}

// unread is what nobody has read on any connection.
func (s *testServer) unread() (n int64) {
	for _, b := range s.backlogs() {
		n += b.Size()
	}
	return n
}

// neverEnding is endlessly many of one byte.
type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// TestDataBeforeAProgramEndsTheChannel sends data to a channel that runs nothing.
func TestDataBeforeAProgramEndsTheChannel(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	channel, _ := openSession(t, client)
	channel.Write([]byte("hello"))
	told, _ := io.ReadAll(channel.Stderr())
	if !strings.Contains(string(told), "data came before") {
		t.Errorf("the person is told %q", told)
	}
	eventually(t, "the channel is not counted", func() bool { return s.gate.budget.Used(budget.Channels) == 0 })
	openSession(t, client)
}

// TestAChannelWithoutAProgramEnds opens one and starts nothing.
func TestAChannelWithoutAProgramEnds(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.LoginGraceTime = 2 * time.Second })
	channel, _ := openSession(t, s.dial(t))
	told, _ := io.ReadAll(channel.Stderr())
	if !strings.Contains(string(told), "nothing was started") {
		t.Errorf("the person is told %q", told)
	}
}

// TestAStrangerCannotSendMuch sends on and on before the login.
func TestAStrangerCannotSendMuch(t *testing.T) {
	s := serve(t, nil)
	config := s.clientConfig()
	config.User = strings.Repeat("x", 100<<10)
	if client, err := ssh.Dial("tcp", s.address, config); err == nil {
		client.Close()
		t.Fatal("logged in")
	}
	if e := s.events.await(t, OpRefusal); !strings.Contains(e.Err.Error(), "before it was logged in") {
		t.Errorf("refused: %v", e.Err)
	}
}
