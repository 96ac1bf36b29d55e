package sshd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/local"
)

// revoked is how tests end connections.
func revoked() Ending { return Ending{Op: OpRevoked, Reason: "your key has been revoked"} }

func everybody(ConnInfo) bool { return true }

// told is a client of SFTP that keeps what it is told on stderr, and leaves at
// the end of the program, as OpenSSH's does.
type told struct {
	*sftp.Client
	conn   *ssh.Client
	stderr chan string // at the end
	status int         // of the program, then
}

func (s *testServer) dialTold(t *testing.T) *told {
	t.Helper()
	c := &told{conn: s.dial(t), stderr: make(chan string, 1)}
	channel, requests := openSession(t, c.conn)
	if ok, err := channel.SendRequest("subsystem", true, str("sftp")); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var err error
	if c.Client, err = sftp.NewClientPipe(channel, channel); err != nil {
		t.Fatal(err)
	}
	go func() {
		text, status := outcome(t, channel, requests)
		c.status = status
		c.stderr <- text
		c.conn.Close()
	}()
	return c
}

// Who is ended reads why, nothing of the upload stays, an event says so, and the
// others go on.
func TestEnd(t *testing.T) {
	s := serve(t, nil)
	victim, other := s.dialTold(t), s.dialTold(t)
	up, err := victim.Create("half")
	if err == nil {
		_, err = up.Write(make([]byte, 2<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	all := s.Connections()
	if len(all) != 2 || all[0].Open != 1 || all[0].Account != "ana" || all[0].ClientVersion != "SSH-2.0-Go" || all[0].Since.After(all[1].Since) ||
		all[0].Key != ssh.FingerprintSHA256(s.key.PublicKey()) || all[0].Source != victim.conn.LocalAddr().String() {
		t.Errorf("the connections are %+v", all)
	}
	if n := s.End(revoked(), func(c ConnInfo) bool { return c.ID == all[0].ID }); n != 1 {
		t.Errorf("%d were ended", n)
	}
	s.End(revoked(), func(c ConnInfo) bool { return c.ID == all[0].ID }) // does nothing more
	if text := <-victim.stderr; text != "The server ends this connection: your key has been revoked.\r\n" || victim.status != exitFailure {
		t.Errorf("the person reads %q, status %d", text, victim.status)
	}
	if put := s.events.await(t, "put"); put.Err == nil || !strings.Contains(put.Err.Error(), "revoked") {
		t.Errorf("the upload is reported as %+v", put)
	}
	if e := s.events.await(t, OpRevoked); e.Account != "ana" || e.Conn != all[0].ID || e.Note != "your key has been revoked" {
		t.Errorf("the event is %+v", e)
	}
	if _, err := other.Stat("half"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a partial is left: %v", err)
	}
	eventually(t, "the end", func() bool { return s.Count() == 1 })
}

// After a kick the upload can be resumed.
func TestKickKeepsPartials(t *testing.T) {
	s := serve(t, func(c *Config) { c.Session = withPartials(t) })
	victim := s.dialTold(t)
	up, err := victim.Create("half")
	if err == nil {
		_, err = up.Write(make([]byte, 2<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.End(Ending{Op: OpKicked, Reason: "the operator asks you to come back later"}, everybody)
	s.events.await(t, OpLogout)
	if i, err := s.dialTold(t).Stat("half"); err != nil || i.Size() != 2<<20 {
		t.Errorf("the partial is %v, %v", i, err)
	}
}

func withPartials(t *testing.T) func(keys.Identity) (Service, error) {
	library, err := local.Open(t.TempDir(), local.Options{Partials: &local.PartialRules{MinSize: 1, MaxAge: time.Hour, PerAccount: 4}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { library.Close() })
	return serviceOf(library)
}

// slowLibrary publishes when it is told to.
type slowLibrary struct {
	vfs.Library
	begun, finish chan struct{}
}

func (l slowLibrary) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	up, err := l.Library.Create(ctx, name, o)
	return slowUpload{up, l}, err
}

type slowUpload struct {
	vfs.Upload
	l slowLibrary
}

func (u slowUpload) Commit(ctx context.Context) (vfs.Change, error) {
	u.l.begun <- struct{}{}
	<-u.l.finish
	return u.Upload.Commit(ctx)
}

// An upload that is being published is published, and its client is told so. By
// another channel of the same connection nothing is published any more.
func TestEndWaitsForClose(t *testing.T) {
	l := slowLibrary{openLibrary(t), make(chan struct{}), make(chan struct{})}
	s := serve(t, func(c *Config) { c.Session = serviceOf(l) })
	victim := s.dialTold(t)
	up, err := victim.Create("whole")
	if err != nil {
		t.Fatal(err)
	}
	second, err := sftp.NewClient(victim.conn)
	if err != nil {
		t.Fatal(err)
	}
	late, err := second.Create("late")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- up.Close() }()
	<-l.begun
	s.End(revoked(), everybody)
	if err := late.Close(); err == nil {
		t.Error("a file is published after the end has begun")
	}
	close(l.finish)
	if err := <-closed; err != nil {
		t.Errorf("CLOSE in progress: %v", err)
	}
	if text := <-victim.stderr; !strings.Contains(text, "revoked") {
		t.Errorf("the person reads %q", text)
	}
	if _, err := l.Stat(context.Background(), "whole"); err != nil {
		t.Error(err)
	}
	if _, err := l.Stat(context.Background(), "late"); err == nil {
		t.Error("what was not closed is published")
	}
}

// A client that reads nothing gets nothing more, and does not keep its
// connection.
func TestEndOfOneThatDoesNotRead(t *testing.T) {
	s := serve(t, nil)
	_, client := s.dialSFTP(t)
	f, err := client.Create("large")
	if err == nil {
		_, err = io.Copy(f, bytes.NewReader(make([]byte, 16<<20)))
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	conn := s.dial(t)
	channel, requests, err := conn.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{"scp -f large"}))
	channel.Write([]byte{0, 0}) // and then its window fills up
	eventually(t, "an open file", func() bool { return s.Connections()[1].Open == 1 })
	s.End(revoked(), func(c ConnInfo) bool { return c.Open == 1 })
	eventually(t, "the end", func() bool { return s.Count() == 1 })
}
