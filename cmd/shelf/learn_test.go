package main

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// announcer is a server that announces keys and proves to have them.
type announcer struct {
	keys []ssh.Signer
	sign func(i int, name string, session, key []byte) *ssh.Signature
}

func (a *announcer) serve(config *ssh.ServerConfig, nc net.Conn) {
	defer nc.Close()
	conn, channels, requests, err := ssh.NewServerConn(nc, config)
	if err != nil {
		return
	}
	var all []byte
	for _, k := range a.keys {
		all = append(all, ssh.Marshal(struct{ Key []byte }{k.PublicKey().Marshal()})...)
	}
	conn.SendRequest(hostKeysAnnounced, false, all)
	go func() {
		for c := range channels {
			c.Reject(ssh.Prohibited, "")
		}
	}()
	for r := range requests {
		var proofs []byte
		for i, k := range a.keys {
			if key := k.PublicKey().Marshal(); bytes.Contains(r.Payload, key) {
				s := a.sign(i, hostKeysProven, conn.SessionID(), key)
				proofs = append(proofs, ssh.Marshal(struct{ Signature []byte }{ssh.Marshal(s)})...)
			}
		}
		r.Reply(r.Type == hostKeysProven, proofs)
	}
}

func signed(name string, session, key []byte) []byte {
	return ssh.Marshal(struct {
		Name         string
		Session, Key []byte
	}{name, session, key})
}

// proof signs for a key as it should be.
func proof(k ssh.Signer, name string, session, key []byte) *ssh.Signature {
	data := signed(name, session, key)
	if many, ok := k.(ssh.MultiAlgorithmSigner); ok {
		s, _ := many.SignWithAlgorithm(rand.Reader, data, many.Algorithms()[0])
		return s
	}
	s, _ := k.Sign(rand.Reader, data)
	return s
}

// Keys that a host announces and proves to have are recorded, if its key stands
// in the person's file for it alone, and it is not one that was revoked.
func TestLearn(t *testing.T) {
	host, next, other := newKey(t).signer, newKey(t).signer, newRSA(t)
	good := func(i int, name string, session, key []byte) *ssh.Signature {
		return proof([]ssh.Signer{host, next, other}[i], name, session, key)
	}
	const line = "HOST KEY"
	for what, row := range map[string]struct {
		known string // with the host's key as KEY and the next one as NEXT
		sign  func(i int, name string, session, key []byte) *ssh.Signature
		adds  int
	}{
		"two new":        {line, good, 2},
		"one new":        {line + "HOST NEXT", good, 1},
		"revoked":        {line + "@revoked * NEXT", good, 1},
		"for many hosts": {"[127.0.0.?]:*,HOST KEY", good, 0},
		"wrong key": {line, func(_ int, name string, session, key []byte) *ssh.Signature {
			return proof(host, name, session, key)
		}, 0},
		"wrong session": {line, func(i int, name string, session, key []byte) *ssh.Signature {
			return good(i, name, session[1:], key)
		}, 0},
		"wrong name": {line, func(i int, name string, session, key []byte) *ssh.Signature {
			return good(i, "hostkeys-prove-01@openssh.com", session, key)
		}, 0},
		"SHA-1": {line, func(i int, name string, session, key []byte) *ssh.Signature {
			s := good(i, name, session, key)
			if old, ok := []ssh.Signer{host, next, other}[i].(ssh.AlgorithmSigner); ok && s.Format != ssh.KeyAlgoED25519 {
				s, _ = old.SignWithAlgorithm(rand.Reader, signed(name, session, key), ssh.KeyAlgoRSA)
			}
			return s
		}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			config := &ssh.ServerConfig{NoClientAuth: true}
			config.AddHostKey(host)
			a := &announcer{[]ssh.Signer{host, next, other}, row.sign}
			s := &server{addr: accept(t, func(nc net.Conn) { a.serve(config, nc) })}
			authorized := func(k ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(k.PublicKey())) }
			s.knows(t, strings.NewReplacer("KEY", authorized(host), "NEXT", authorized(next)).Replace(row.known))
			before, _ := os.ReadFile(s.known)
			s.update(t)
			after, _ := os.ReadFile(s.known)
			if added := bytes.Count(after, []byte("\n")) - bytes.Count(before, []byte("\n")); added != row.adds || !bytes.HasPrefix(after, before) {
				t.Errorf("%d lines were added, want %d:\n%s", added, row.adds, after)
			}
		})
	}
}

// update logs in and looks at what is announced.
func (s *server) update(t *testing.T) {
	t.Helper()
	h, err := openHosts(&ui{streams: streams{err: io.Discard}}, target{knownHosts: []string{s.known}, newHosts: s.known}, nil)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := ssh.NewClientConn(nc, s.addr, &ssh.ClientConfig{HostKeyCallback: h.check})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		for range channels {
		}
	}()
	if err := h.update(conn, (<-requests).Payload); err != nil {
		t.Log(err)
	}
}

// While new keys for a connection are agreed on, nobody is asked about the host
// again, nor is its key recorded twice.
func TestRekey(t *testing.T) {
	s := newServerLike(t, map[string]string{"f": strings.Repeat("x", 1<<20)}, func(c *ssh.ServerConfig) {
		c.AddHostKey(newKey(t).signer)
		c.RekeyThreshold = 64 << 10
	})
	status, out, errs := s.run(t, "", "--accept-new", s.addr, "get", "f", "to", t.TempDir())
	want(t, status, 0, out+errs)
	if text, _ := os.ReadFile(s.known); bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("recorded:\n%s", text)
	}
}
