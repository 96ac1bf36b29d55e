package sshd

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// serverVersion is our version line (RFC 4253 section 4.2). It tells strangers
// no more than it must.
const serverVersion = "SSH-2.0-Shelf"

// maxVersion is the longest version line, in bytes, with its CR LF (RFC 4253
// section 4.2).
const maxVersion = 255

// kexInitWait is how long a client may hold its KEXINIT back after its version
// line. It takes a round trip, since most first want to see our version; those
// that want to see our KEXINIT as well wait this long, and get the usual offer.
const kexInitWait = time.Second

// kexInitChunk is how much is read at a time of what is mostly one to two KiB.
const kexInitChunk = 4096

// hello is what a client says before anything is agreed on. Nothing but the
// choice of algorithms to offer may hang on it: it is not authenticated yet.
// Later it is, with all the rest of it, by the exchange hash (RFC 4253 section
// 8), so that nobody in between can have weakened what was offered.
type hello struct {
	version string
	kexInit *kexInit // nil if it came late or does not parse
}

// wire is the network connection with what was read ahead of the handshake put
// back. x/crypto has no way to look at a client before it makes its offer.
type wire struct {
	*socket
	ahead    []byte       // read, and to be read again
	greeted  bool         // x/crypto has been made to believe it sent the version
	received atomic.Int64 // reads that brought bytes, for the keepalive
}

// greet sends our version line, for many clients wait for it, and reads the
// client's and its KEXINIT. The connection has its deadline already, which is
// until.
func (w *wire) greet(until time.Time) (hello, error) {
	if _, err := w.socket.Write([]byte(serverVersion + "\r\n")); err != nil {
		return hello{}, err
	}
	line, err := w.peekVersion()
	if err != nil {
		return hello{}, err
	}
	h := hello{version: strings.TrimRight(line, "\r\n")}
	w.SetReadDeadline(earliest(until, time.Now().Add(kexInitWait)))
	h.kexInit, err = w.peekKexInit(len(line))
	w.SetReadDeadline(until)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil // if it was the connection's own, x/crypto will meet it
	}
	return h, err
}

// earliest is the earlier of a deadline, which is zero for none, and a time.
func earliest(deadline, t time.Time) time.Time {
	if deadline.IsZero() || t.Before(deadline) {
		return t
	}
	return deadline
}

// errNotSSH is a client that speaks something else.
var errNotSSH = errors.New("the client does not speak SSH 2.0")

// peekVersion reads up to the end of the client's version line. Unlike a
// server, a client must not send other lines before it.
func (w *wire) peekVersion() (string, error) {
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

// peekKexInit reads up to the end of the packet that follows the version line.
func (w *wire) peekKexInit(version int) (*kexInit, error) {
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

// fill reads at most n bytes more.
func (w *wire) fill(n int) error {
	w.ahead = slices.Grow(w.ahead, n)
	got, err := w.socket.Read(w.ahead[len(w.ahead) : len(w.ahead)+n])
	w.ahead = w.ahead[:len(w.ahead)+got]
	if got > 0 {
		return nil
	}
	return err
}

// Read gives back first what was read ahead.
func (w *wire) Read(p []byte) (int, error) {
	if len(w.ahead) > 0 {
		n := copy(p, w.ahead)
		if w.ahead = w.ahead[n:]; len(w.ahead) == 0 {
			w.ahead = nil
		}
		return n, nil
	}
	n, err := w.socket.Read(p)
	if n > 0 {
		w.received.Add(1)
	}
	return n, err
}

// Write swallows x/crypto's version line, the first thing it writes: greet has
// sent the same already.
func (w *wire) Write(p []byte) (int, error) {
	if w.greeted {
		return w.socket.Write(p)
	}
	w.greeted = true
	if string(p) != serverVersion+"\r\n" {
		return 0, errors.New("sshd: the version line was not what was announced")
	}
	return len(p), nil
}
