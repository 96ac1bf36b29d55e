package window

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

const mib = 1 << 20

// channels are the two ends of a channel.
func channels(t *testing.T) (server, client ssh.Channel) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
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
		channel, requests, err := (<-opened).Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		accepted <- channel
	}()
	conn, err := ssh.Dial("tcp", l.Addr().String(), &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client, requests, err := conn.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	return <-accepted, client
}

// A version of x/crypto may have other fields. Then uploads from far away are slow
// again, and this test says so: change field.go.
func TestCryptoHasTheField(t *testing.T) {
	server, client := channels(t)
	f, ok := fieldOf(server)
	if !ok {
		t.Fatal("x/crypto/ssh has other fields now: field.go does not find the window of a channel, which stays at 2 MiB")
	}
	go client.Write(make([]byte, usual+4*mib))
	eventually(t, "the client to fill the usual window", func() bool { return left(t, f) == 0 })
	if _, err := f.readAndGrant(make([]byte, 1), 4*mib); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client to send what it was granted", func() bool { return left(t, f) <= 1 })

	// What is read by read is not granted again.
	if _, err := io.ReadFull(readerOf(f.read), make([]byte, usual+4*mib-1)); err != nil {
		t.Fatal(err)
	}
	if n := left(t, f); n > 1 {
		t.Errorf("the client may send %d bytes more, and was not to be granted any", n)
	}
}

func TestOtherChannelsHaveTheUsualWindow(t *testing.T) {
	for _, other := range []ssh.Channel{nil, struct{ ssh.Channel }{}, &struct{ ssh.Channel }{}} {
		if _, ok := fieldOf(other); ok {
			t.Errorf("%T seems to have a window", other)
		}
	}
	server, client := channels(t)
	w := New(struct{ ssh.Channel }{server}, roundTrip(time.Second), NewPool(mib).Of("a"))
	go client.Write(make([]byte, 3*usual))
	if _, err := io.ReadFull(w, make([]byte, 3*usual)); err != nil {
		t.Fatal(err)
	}
}

// left is how many bytes the client may still send.
func left(t *testing.T, f field) uint32 {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	return uint32(reflect.ValueOf(f.channel).Elem().FieldByName("myWindow").Uint())
}

type readerOf func([]byte) (int, error)

func (r readerOf) Read(p []byte) (int, error) { return r(p) }

func roundTrip(d time.Duration) *atomic.Int64 {
	var n atomic.Int64
	n.Store(int64(d))
	return &n
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// link has a window measure what comes over a link of that many bytes per second.
type link struct {
	w     *Window
	far   time.Duration
	speed float64
	now   time.Time
}

func newLink(far time.Duration, speed float64, pool *Pool) *link {
	w := &Window{budget: pool.Of("a")}
	return &link{w, far, speed, time.Unix(1, 0)}
}

// send has n bytes come, as the window allows: what it has in a round trip.
func (l *link) send(n int64) {
	const packet = 32 << 10
	for round := l.now; n > 0; {
		for sent := int64(0); sent < l.w.size() && n > 0; sent, n = sent+packet, n-packet {
			l.arrive(packet, time.Duration(packet/l.speed*float64(time.Second)))
		}
		if wait := l.far - l.now.Sub(round); wait > 0 && n > 0 {
			n -= packet
			l.arrive(packet, wait)
		}
		round = l.now
	}
}

func (l *link) arrive(n int64, after time.Duration) {
	before := l.now
	l.now = l.now.Add(after)
	l.w.measure(n, l.far, before, l.now)
}

func TestWindowFollowsTheLink(t *testing.T) {
	const gbit = 125e6
	for _, c := range []struct {
		far         time.Duration
		speed       float64
		least, most int64
	}{
		{150 * time.Millisecond, gbit, 18 * mib, 26 * mib},
		{50 * time.Millisecond, gbit, 6 * mib, 9 * mib},
		{300 * time.Millisecond, 10 * gbit, widest, widest},
		{150 * time.Millisecond, gbit / 100, usual, usual},
		{5 * time.Millisecond, gbit, usual, usual},
	} {
		pool := NewPool(64 * mib)
		l := newLink(c.far, c.speed, pool)
		l.send(256 * mib)
		if n := l.w.size(); n < c.least || n > c.most {
			t.Errorf("at a round trip of %v and %.0f bytes a second the window is %d bytes; want %d to %d", c.far, c.speed, n, c.least, c.most)
		}
		if l.w.End(); pool.taken != 0 {
			t.Errorf("after the end %d bytes are taken", pool.taken)
		}
	}
}

// What is slow, or was fast once, gives back what it does not need.
func TestWindowBecomesNarrower(t *testing.T) {
	pool := NewPool(64 * mib)
	l := newLink(150*time.Millisecond, 125e6, pool)
	l.send(64 * mib)
	wide := pool.taken
	l.speed /= 100
	l.send(64 * mib)
	if l.w.spare < wide*9/10 {
		t.Errorf("of %d bytes a slow link needs none, and %d are to be given back", wide, l.w.spare)
	}
}

func TestWindowStaysWithinItsBudget(t *testing.T) {
	pool := NewPool(16 * mib)
	l := newLink(150*time.Millisecond, 125e6, pool)
	l.send(64 * mib)
	if l.w.extra != 12*mib {
		t.Errorf("an account took %d bytes, and may have 12 MiB", l.w.extra)
	}
	if n := pool.Of("b").Take(12 * mib); n != 4*mib {
		t.Errorf("another account got %d bytes; 4 MiB are left", n)
	}
	pool.Of("b").Give(4 * mib)
	if l.w.End(); pool.taken != 0 || len(pool.by) != 0 {
		t.Errorf("after the end %d bytes are taken, by %v", pool.taken, pool.by)
	}
}

func TestRestingWindowIsNotInTheWay(t *testing.T) {
	pool := NewPool(16 * mib)
	l := newLink(150*time.Millisecond, 125e6, pool)
	l.send(64 * mib)
	if l.w.Rest(); pool.taken != 0 || l.w.extra != 12*mib {
		t.Fatalf("a resting window has %d bytes more than usual, and %d of the budget", l.w.extra, pool.taken)
	}
	if l.w.wake(); pool.taken != 12*mib || l.w.spare != 0 {
		t.Fatalf("a window that woke up has %d bytes of the budget, and gives up %d", pool.taken, l.w.spare)
	}
	// If others took it meanwhile, the client may send no more than it was granted.
	l.w.Rest()
	other := pool.Of("b")
	other.Take(10 * mib)
	if l.w.wake(); l.w.taken != 6*mib || l.w.spare != 6*mib {
		t.Errorf("of 12 MiB, 6 of which are taken by another account, %d are to be given up", l.w.spare)
	}
	if l.w.widen(widest); l.w.extra != 12*mib {
		t.Error("a window became wider than its budget")
	}
	for l.w.spare > 0 {
		l.w.spare -= mib
		l.w.give(mib)
	}
	if pool.taken != 16*mib || l.w.extra != 6*mib {
		t.Errorf("the window has %d bytes more than usual", l.w.extra)
	}
	if l.w.End(); pool.taken != 10*mib {
		t.Errorf("after the end %d bytes are taken", pool.taken)
	}
}

// All that a client sends arrives, in order, while its window becomes wider and
// narrower.
func TestNothingIsLostWhenTheWindowChanges(t *testing.T) {
	server, client := channels(t)
	pool := NewPool(64 * mib)
	w := New(server, roundTrip(50*time.Millisecond), pool.Of("a"))
	const total = 48 * mib
	go func() {
		b := make([]byte, mib)
		for i := range total / mib {
			for j := range b {
				b[j] = byte(i + j)
			}
			if _, err := client.Write(b); err != nil {
				return
			}
		}
		client.CloseWrite()
	}()
	b := make([]byte, mib)
	for i := range total / mib {
		switch {
		case i%8 == 2:
			w.widen(usual + 8*mib)
		case i%8 == 6:
			w.narrow(usual)
		}
		if _, err := io.ReadFull(w, b); err != nil {
			t.Fatalf("after %d MiB: %v", i, err)
		}
		for j := range b {
			if b[j] != byte(i+j) {
				t.Fatalf("byte %d of MiB %d is %d", j, i, b[j])
			}
		}
	}
	if _, err := w.Read(b); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if w.End(); pool.taken != 0 {
		t.Errorf("after the end %d bytes are taken", pool.taken)
	}
}
