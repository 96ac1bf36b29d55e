package sshd

import "golang.org/x/crypto/ssh"

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
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
}
