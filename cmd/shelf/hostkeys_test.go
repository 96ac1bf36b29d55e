package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// signer makes a key of another kind.
func signer(t *testing.T, private crypto.Signer, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newRSA(t *testing.T) ssh.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	return signer(t, k, err)
}

func newECDSA(t *testing.T) ssh.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return signer(t, k, err)
}

// newHost serves with these host keys, and knows of none.
func newHost(t *testing.T, files map[string]string, keys ...ssh.Signer) *server {
	t.Helper()
	return newServerLike(t, files, func(c *ssh.ServerConfig) {
		for _, k := range keys {
			c.AddHostKey(k)
		}
	})
}

// newServerLike serves with a configuration that lets in whom newServer does and
// is otherwise what set makes of it.
func newServerLike(t *testing.T, files map[string]string, set func(*ssh.ServerConfig)) *server {
	t.Helper()
	first := newServer(t, files)
	s := &server{identity: first.identity, handlers: first.handlers,
		config: &ssh.ServerConfig{PublicKeyCallback: first.config.PublicKeyCallback}}
	set(s.config)
	s.addr = accept(t, s.serve)
	s.knows(t)
	return s
}

// certified makes a host key with a certificate.
func certified(t *testing.T, host, ca ssh.Signer, until uint64) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{CertType: ssh.HostCert, Key: host.PublicKey(), ValidBefore: until, ValidPrincipals: []string{"127.0.0.1"}}
	if err := c.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(c, host)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// knows writes lines of known_hosts; in them HOST is the server.
func (s *server) knows(t *testing.T, lines ...any) {
	t.Helper()
	var text strings.Builder
	for _, l := range lines {
		if key, ok := l.(ssh.PublicKey); ok {
			l = string(ssh.MarshalAuthorizedKey(key))
		}
		text.WriteString(l.(string))
	}
	s.known = filepath.Join(t.TempDir(), "known_hosts")
	_, port, _ := strings.Cut(s.addr, ":")
	save(t, s.known, strings.ReplaceAll(text.String(), "HOST", "[127.0.0.1]:"+port))
}

// A certificate that nobody is trusted for does not keep people from a host:
// they are asked about its key.
func TestUnknownAuthority(t *testing.T) {
	host := newKey(t).signer
	s := newHost(t, nil, host, certified(t, host, newKey(t).signer, ssh.CertTimeInfinity))
	for _, lines := range [][]any{nil, {"@cert-authority * ", newKey(t).signer.PublicKey()}} {
		s.knows(t, lines...)
		status, _, errs := s.run(t, "", s.addr, "list")
		want(t, status, exitHostKey, errs, "is not known", "--accept-new")
		for range 2 {
			status, _, errs = s.run(t, "", "--accept-new", s.addr, "list")
			want(t, status, 0, errs)
		}
	}
}

// A host with a certificate is trusted without a question, of whatever kind the
// authority's key is; not after its time, and not if one of both is revoked.
func TestHostCertificates(t *testing.T) {
	ca, host := newRSA(t), newKey(t).signer
	s := newHost(t, nil, host, certified(t, host, ca, ssh.CertTimeInfinity))
	s.knows(t, "@cert-authority * ", ca.PublicKey())
	status, _, errs := s.run(t, "", s.addr, "list")
	want(t, status, 0, errs)
	for _, revoked := range []ssh.PublicKey{ca.PublicKey(), host.PublicKey()} {
		s.knows(t, "@cert-authority * ", ca.PublicKey(), "@revoked * ", revoked)
		status, _, errs = s.run(t, "", "--accept-new", s.addr, "list")
		want(t, status, exitHostKey, errs, "REVOKED by line 2", ssh.FingerprintSHA256(revoked))
	}
	old := newHost(t, nil, certified(t, host, ca, 1))
	old.knows(t, "@cert-authority * ", ca.PublicKey())
	status, _, errs = old.run(t, "", "-v", old.addr, "list")
	want(t, status, exitHostKey, errs, "is not known", "expired")
}

// A key that was revoked is refused, whoever it is that shows it.
func TestRevoked(t *testing.T) {
	s := newServer(t, nil)
	line, _ := os.ReadFile(s.known)
	_, key, _ := strings.Cut(string(line), " ")
	s.knows(t, "HOST ", key, "@revoked * ", key)
	status, _, errs := s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, exitHostKey, errs, "REVOKED by line 2 of "+s.known)
}

// A host that has no key of the kind that is known is not just one that has no
// algorithm in common with us.
func TestOtherKind(t *testing.T) {
	s := newServer(t, nil)
	known := newECDSA(t).PublicKey()
	s.knows(t, "HOST ", known)
	status, _, errs := s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, exitHostKey, errs, "CHANGED; it was "+ssh.FingerprintSHA256(known), "line 1 of "+s.known, "ssh-keygen -R '[127.0.0.1]:")
	s.knows(t, "@cert-authority * ", known)
	status, _, errs = s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, 0, errs)
}

// Of several keys, a new host shows the one whose fingerprint people know; a
// known one shows the one that is known.
func TestWhichKey(t *testing.T) {
	other := newRSA(t)
	s := newHost(t, nil, other, newKey(t).signer)
	status, _, errs := s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, 0, errs)
	if text, _ := os.ReadFile(s.known); !strings.Contains(string(text), "ssh-ed25519") {
		t.Errorf("recorded %s", text)
	}
	s.knows(t, "HOST ", other.PublicKey())
	status, _, errs = s.run(t, "", s.addr, "list")
	want(t, status, 0, errs)
}

// A key is recorded for the name that was asked for, and for nothing else; a
// last line that lacks its end stays what it was.
func TestRecorded(t *testing.T) {
	s := newServer(t, nil)
	other := newKey(t).signer.PublicKey()
	s.knows(t, "other.example ", other)
	text, _ := os.ReadFile(s.known)
	before := strings.TrimSpace(string(text))
	save(t, s.known, before)
	_, port, _ := strings.Cut(s.addr, ":")
	for range 2 {
		status, _, errs := s.run(t, "", "--accept-new", "ada@localhost:"+port, "list")
		want(t, status, 0, errs)
	}
	text, _ = os.ReadFile(s.known)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 || lines[0] != before || !strings.HasPrefix(lines[1], "[localhost]:"+port+" ssh-") {
		t.Errorf("recorded:\n%s", text)
	}
}

// The key of an authority is no host's.
func TestAuthorityAsHost(t *testing.T) {
	ca := newKey(t).signer
	s := newHost(t, nil, ca)
	s.knows(t, "@cert-authority * ", ca.PublicKey())
	status, _, errs := s.run(t, "", s.addr, "list")
	want(t, status, exitHostKey, errs, "has a key that is trusted only to sign certificates")
	s.knows(t, "@cert-authority * ", ca.PublicKey(), "HOST ", ca.PublicKey())
	status, _, errs = s.run(t, "", s.addr, "list")
	want(t, status, 0, errs)
}

// Where a key cannot be recorded the rest goes on.
func TestNotRecorded(t *testing.T) {
	s := newServer(t, map[string]string{"f": ""})
	file := filepath.Join(t.TempDir(), "file")
	save(t, file, "")
	s.known = filepath.Join(file, "known_hosts")
	status, out, errs := s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, 0, out+errs, "is not recorded", "f\n")
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
