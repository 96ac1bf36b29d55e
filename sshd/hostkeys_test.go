package sshd

import (
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A client that has logged in learns the next host key, too, and asks for proof.
func TestHostKeysAreAnnouncedAndProven(t *testing.T) {
	next := newKey(t)
	s := serve(t, func(c *Config) { c.NextHostKeys = []ssh.Signer{next} })
	tcp, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, requests, err := ssh.NewClientConn(tcp, s.address, s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	announced := <-requests
	if announced.Type != hostKeysAnnounced || announced.WantReply {
		t.Fatalf("got %+v", announced)
	}
	want := append(ssh.Marshal(struct{ K []byte }{s.hostKey.Marshal()}), ssh.Marshal(struct{ K []byte }{next.PublicKey().Marshal()})...)
	if string(announced.Payload) != string(want) {
		t.Fatalf("announced are %x", announced.Payload)
	}
	ok, proof, err := conn.SendRequest(hostKeysProven, true, announced.Payload)
	if err != nil || !ok {
		t.Fatalf("no proof: %v", err)
	}
	for _, key := range []ssh.PublicKey{s.hostKey, next.PublicKey()} {
		var one struct {
			Signature []byte
			Rest      []byte `ssh:"rest"`
		}
		var signature ssh.Signature
		if err := ssh.Unmarshal(proof, &one); err != nil {
			t.Fatal(err)
		}
		if err := ssh.Unmarshal(one.Signature, &signature); err != nil {
			t.Fatal(err)
		}
		signed := ssh.Marshal(struct {
			Name         string
			Session, Key []byte
		}{hostKeysProven, conn.SessionID(), key.Marshal()})
		if err := key.Verify(signed, &signature); err != nil {
			t.Errorf("the proof of %s: %v", ssh.FingerprintSHA256(key), err)
		}
		proof = one.Rest
	}
	for _, bad := range [][]byte{nil, {1}, ssh.Marshal(struct{ K []byte }{newKey(t).PublicKey().Marshal()}),
		append(announced.Payload, announced.Payload...)} {
		if ok, _, err := conn.SendRequest(hostKeysProven, true, bad); ok || err != nil {
			t.Errorf("%x is proven (%v)", bad, err)
		}
	}
}
