package sshd

import (
	"bytes"
	"crypto/rand"

	"golang.org/x/crypto/ssh"
)

// The extension by which a server tells its host keys to a client that has logged
// in. The client so learns the next host key before it is used (OpenSSH's
// PROTOCOL, section 2.5).
const (
	hostKeysAnnounced = "hostkeys-00@openssh.com"
	hostKeysProven    = "hostkeys-prove-00@openssh.com"
)

// maxProofs is how often a client may ask for proofs on one connection. Each time
// costs one signature per key.
const maxProofs = 4

// globalRequests answers the requests that are about the connection as a whole
// (RFC 4254 sections 4 and 7). It refuses all of them, such as forwarding, except
// for a few requests to prove host keys. A refusal is a good answer to a
// keepalive.
func (c *conn) globalRequests(requests <-chan *ssh.Request) {
	proofs := 0
	for r := range requests {
		if r.Type == hostKeysProven && proofs < maxProofs {
			proofs++
			proof, ok := c.proveHostKeys(r.Payload)
			r.Reply(ok, proof)
			continue
		}
		switch r.Type {
		case "keepalive@openssh.com", "no-more-sessions@openssh.com", hostKeysProven: // ask for nothing that could be had
		case "tcpip-forward", "streamlocal-forward@openssh.com":
			c.unserved(OpForward, forward(r.Type, r.Payload), errForward)
		default:
			c.unserved(OpRequest, r.Type, errUnserved)
		}
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
}

// plainKeys are the host keys that have no certificate, both those in use and the
// next ones.
func (c Config) plainKeys() (plain []ssh.Signer) {
	for _, key := range append(append([]ssh.Signer{}, c.HostKeys...), c.NextHostKeys...) {
		if _, certified := key.PublicKey().(*ssh.Certificate); !certified {
			plain = append(plain, key)
		}
	}
	return plain
}

// announceHostKeys tells the client all host keys.
func (c *conn) announceHostKeys() {
	var keys bytes.Buffer
	for _, key := range c.config.plainKeys() {
		keys.Write(ssh.Marshal(struct{ Key []byte }{key.PublicKey().Marshal()}))
	}
	c.client.SendRequest(hostKeysAnnounced, false, keys.Bytes())
}

// proveHostKeys proves that the server has the keys that the client asks about.
// The proof is a signature by each key; if one fails, there is no proof at all.
func (c *conn) proveHostKeys(payload []byte) (proof []byte, ok bool) {
	keys := c.config.plainKeys()
	for asked := 0; len(payload) > 0; asked++ {
		var next struct {
			Key  []byte
			Rest []byte `ssh:"rest"`
		}
		if asked >= len(keys) || ssh.Unmarshal(payload, &next) != nil {
			return nil, false
		}
		signature, ok := c.signHostKey(keys, next.Key)
		if !ok {
			return nil, false
		}
		proof = append(proof, ssh.Marshal(struct{ Signature []byte }{signature})...)
		payload = next.Rest
	}
	return proof, len(proof) > 0
}

// signHostKey makes the signature of one key that the client asks about.
func (c *conn) signHostKey(keys []ssh.Signer, asked []byte) ([]byte, bool) {
	for _, key := range keys {
		if !bytes.Equal(key.PublicKey().Marshal(), asked) {
			continue
		}
		signature, err := sign(key, ssh.Marshal(struct {
			Name         string
			Session, Key []byte
		}{hostKeysProven, c.client.SessionID(), asked}))
		if err != nil {
			c.log.Error("signing with a host key failed", "err", err)
			return nil, false
		}
		return ssh.Marshal(signature), true
	}
	return nil, false
}

// sign signs with the preferred algorithm of a key. Without this, RSA would use
// SHA-1.
func sign(key ssh.Signer, data []byte) (*ssh.Signature, error) {
	if many, ok := key.(ssh.MultiAlgorithmSigner); ok {
		return many.SignWithAlgorithm(rand.Reader, data, many.Algorithms()[0])
	}
	return key.Sign(rand.Reader, data)
}
