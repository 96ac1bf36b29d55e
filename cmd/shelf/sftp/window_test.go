package sftp

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// A version of x/crypto may have other fields. Then downloads from far away are slow
// again, and this test says so: change window.go.
func TestCryptoHasTheWindow(t *testing.T) {
	near, far := channels(t)
	if !openWindow(near, moreWindow) {
		t.Fatal("x/crypto/ssh has other fields now: openWindow does not find the window of a channel, which stays at 2 MiB")
	}
	// The next Read tells of the window. Nothing else is under way then: x/crypto would
	// keep the news to a later Read if between 256 and 352 KiB had come.
	if _, err := far.Write(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := far.Write(make([]byte, moreWindow))
		sent <- err
	}()
	select {
	case err := <-sent:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server waits, though nothing more needs to be granted")
	}
	// All of it is there, and what is read is granted again.
	go far.Write(make([]byte, 2*moreWindow))
	if _, err := io.ReadFull(near, make([]byte, 3*moreWindow)); err != nil {
		t.Fatal(err)
	}
}

func TestOtherChannelsHaveNoWindow(t *testing.T) {
	for _, other := range []ssh.Channel{nil, struct{ ssh.Channel }{}, &struct{ ssh.Channel }{}} {
		if openWindow(other, 1) {
			t.Errorf("%T seems to have a window", other)
		}
	}
}

// channels are the two ends of a channel.
func channels(t *testing.T) (near, far ssh.Channel) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan ssh.Channel, 1)
	go func() {
		defer close(accepted)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(host)
		_, opened, requests, err := ssh.NewServerConn(nc, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		if channel, requests, err := (<-opened).Accept(); err == nil {
			go ssh.DiscardRequests(requests)
			accepted <- channel
		}
	}()
	conn, err := ssh.Dial("tcp", l.Addr().String(), &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	near, requests, err := conn.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	if far = <-accepted; far == nil {
		t.Fatal("no channel")
	}
	return near, far
}
