package connect

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"os"
	"path/filepath"
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

func signer(t *testing.T, private crypto.Signer) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
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
	t.Parallel()
	_, hostKey, _ := ed25519.GenerateKey(rand.Reader)
	_, nextKey, _ := ed25519.GenerateKey(rand.Reader)
	otherKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	host, next, other := signer(t, hostKey), signer(t, nextKey), signer(t, otherKey)
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
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if nc, err := l.Accept(); err == nil {
					a.serve(config, nc)
				}
			}()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			authorized := func(k ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(k.PublicKey())) }
			known := filepath.Join(t.TempDir(), "known_hosts")
			text := strings.NewReplacer("HOST", "[127.0.0.1]:"+port, "KEY", authorized(host), "NEXT", authorized(next)).Replace(row.known)
			if err := os.WriteFile(known, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(known)
			update(t, l.Addr().String(), known)
			after, _ := os.ReadFile(known)
			if added := bytes.Count(after, []byte("\n")) - bytes.Count(before, []byte("\n")); added != row.adds || !bytes.HasPrefix(after, before) {
				t.Errorf("%d lines were added, want %d:\n%s", added, row.adds, after)
			}
		})
	}
}

// update logs in and looks at what is announced.
func update(t *testing.T, addr, known string) {
	t.Helper()
	h, err := openHosts(&person{UI: silent{}}, target{knownHosts: []string{known}, newHosts: known})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := ssh.NewClientConn(nc, addr, &ssh.ClientConfig{HostKeyCallback: h.check})
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
