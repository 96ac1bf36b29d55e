// Package wire is the bytes of a connection, on their way to x/crypto and from it.
//
//	wire.go     Wire: reads the client's hello first, and counts what comes and goes
//	kexinit.go  parses the client's KEXINIT (RFC 4253 section 7.1)
//	socket.go   saves system calls
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"shelf/sshd/backlog"
)

// Version is our version line (RFC 4253 section 4.2). It has no version
// number, so that strangers can't learn it.
const Version = "SSH-2.0-Shelf"

// maxVersion is the longest version line with its CR LF, in bytes (RFC 4253
// section 4.2).
const maxVersion = 255

// kexInitWait is how long we wait for a client's KEXINIT after its version line.
// Most clients send it after they have seen our version line. A client that waits
// for our KEXINIT first gets the default offer after this time.
const kexInitWait = time.Second

// kexInitChunk is how much of a KEXINIT is read at a time, in bytes. Most are one
// to two KiB long.
const kexInitChunk = 4096

// Hello is what a client sends before the key exchange. It is not authenticated at
// that time, so it may only decide which algorithms are offered. The exchange hash
// authenticates it later (RFC 4253 section 8); so a man in the middle can't change
// it to get weaker algorithms.
type Hello struct {
	Version string
	KexInit *KexInit // nil if it came too late or is invalid
}

// Wire lets us read a client's hello before x/crypto makes its offer, which
// x/crypto has no way to do. Wire reads it from the network connection and then
// gives it to x/crypto again.
type Wire struct {
	*socket
	ahead    []byte       // read already, to be read again by x/crypto
	greeted  bool         // x/crypto has written its version line, which was not sent
	received atomic.Int64 // the number of reads that returned bytes
	heard    atomic.Int64 // when the last one was, in nanoseconds since 1970
	failing  func()       // called when a read fails, before x/crypto is told

	bytes   atomic.Int64                    // that were received
	sent    atomic.Int64                    // that x/crypto wrote
	waits   atomic.Int64                    // how many bytes were received when the write under way began, and one; 0 is none
	backlog atomic.Pointer[backlog.Backlog] // once logged in
}

// New is the wire of a connection that began at that time. When a read fails, failing is
// called before x/crypto is told.
func New(nc net.Conn, pool *Buffers, began time.Time, failing func()) *Wire {
	w := &Wire{socket: newSocket(nc, pool), failing: failing}
	w.heard.Store(began.UnixNano())
	return w
}

// maxBeforeLogin is how much a client may send before it is logged in, in bytes. It
// is more than a dozen keys with their certificates. Without a bound x/crypto would
// read ahead 4 MiB of each stranger whose password is being checked.
const maxBeforeLogin = 64 << 10

// errTalkative ends a connection that sends too much before login.
var errTalkative = fmt.Errorf("the client sent more than %d bytes before it was logged in", maxBeforeLogin)

// Greet sends our version line, since many clients wait for it, and reads the
// client's version line and KEXINIT. The deadline of the connection is until.
func (w *Wire) Greet(until time.Time) (Hello, error) {
	if _, err := w.socket.Write([]byte(Version + "\r\n")); err != nil {
		return Hello{}, err
	}
	line, err := w.peekVersion()
	if err != nil {
		return Hello{}, err
	}
	h := Hello{Version: strings.TrimRight(line, "\r\n")}
	wait := time.Now().Add(kexInitWait)
	if !until.IsZero() && until.Before(wait) {
		wait = until
	}
	w.SetReadDeadline(wait)
	h.KexInit, err = w.peekKexInit(len(line))
	w.SetReadDeadline(until)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil // if it was the deadline of the connection, x/crypto meets it again
	}
	return h, err
}

// errNotSSH means that a client speaks another protocol.
var errNotSSH = errors.New("the client does not speak SSH 2.0")

// peekVersion reads the client's version line. Unlike a server, a client must not
// send other lines before it.
func (w *Wire) peekVersion() (string, error) {
	for {
		if end := bytes.IndexByte(w.ahead, '\n') + 1; end > 0 && end <= maxVersion {
			if !bytes.HasPrefix(w.ahead, []byte("SSH-2.0-")) {
				return "", errNotSSH
			}
			return string(w.ahead[:end]), nil
		}
		if len(w.ahead) >= maxVersion {
			return "", errNotSSH
		}
		if err := w.fill(maxVersion); err != nil {
			return "", err
		}
	}
}

// peekKexInit reads the packet after the version line.
func (w *Wire) peekKexInit(version int) (*KexInit, error) {
	for {
		init, whole := parseKexInit(w.ahead[version:])
		if whole {
			return init, nil
		}
		if err := w.fill(kexInitChunk); err != nil {
			return nil, err
		}
	}
}

// fill reads up to n bytes more.
func (w *Wire) fill(n int) error {
	w.ahead = slices.Grow(w.ahead, n)
	got, err := w.socket.Read(w.ahead[len(w.ahead) : len(w.ahead)+n])
	w.ahead = w.ahead[:len(w.ahead)+got]
	if got > 0 {
		return nil
	}
	return err
}

// Read returns first what was read ahead.
func (w *Wire) Read(p []byte) (int, error) {
	if len(w.ahead) > 0 {
		n := copy(p, w.ahead)
		w.bytes.Add(int64(n))
		if w.ahead = w.ahead[n:]; len(w.ahead) == 0 {
			w.ahead = nil
		}
		return n, nil
	}
	var n int
	err := w.mayRead()
	if err == nil {
		n, err = w.socket.Read(p)
	}
	if n > 0 {
		w.received.Add(1)
		w.heard.Store(time.Now().UnixNano())
		w.bytes.Add(int64(n))
	}
	if err != nil {
		w.failing()
	}
	return n, err
}

// Received is how often something was received.
func (w *Wire) Received() int64 { return w.received.Load() }

// Sent counts the bytes that x/crypto wrote.
func (w *Wire) Sent() *atomic.Int64 { return &w.sent }

// Frame tells whether packets are in clear or AES-GCM from now on, so that the length of
// each can be read.
func (w *Wire) Frame(framed bool) { w.framed = framed }

// Bound has what is read wait for its backlog, once the client is logged in.
func (w *Wire) Bound(b *backlog.Backlog) { w.backlog.Store(b) }

// Backlog is that, or nil.
func (w *Wire) Backlog() *backlog.Backlog { return w.backlog.Load() }

// SinceRead is how long ago something was received.
func (w *Wire) SinceRead() time.Duration { return time.Since(time.Unix(0, w.heard.Load())) }

// mayRead waits until more may be read from the network.
func (w *Wire) mayRead() error {
	if len(w.socket.unread) > 0 {
		return nil
	}
	if u := w.backlog.Load(); u != nil {
		return u.Await(w.bytes.Load())
	}
	if w.bytes.Load() > maxBeforeLogin {
		return errTalkative
	}
	return nil
}

// SinceWrite is how much was received, in bytes, since a write began that still
// waits for the client to read.
func (w *Wire) SinceWrite() int64 {
	if began := w.waits.Load(); began > 0 {
		return w.bytes.Load() - (began - 1)
	}
	return 0
}

// Write drops the first thing that x/crypto writes, its version line: Greet has
// sent the same line already.
func (w *Wire) Write(p []byte) (int, error) {
	if w.greeted {
		w.waits.Store(w.bytes.Load() + 1)
		n, err := w.socket.Write(p)
		w.waits.Store(0)
		w.sent.Add(int64(n))
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			// The client has gone. What it sent before may still be read: so x/crypto
			// hears of it from Read, after that.
			return len(p), nil
		}
		return n, err
	}
	w.greeted = true
	if string(p) != Version+"\r\n" {
		return 0, errors.New("sshd: x/crypto wrote another version line than the one that was sent")
	}
	return len(p), nil
}
