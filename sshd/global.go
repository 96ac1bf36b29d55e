package sshd

import "golang.org/x/crypto/ssh"

// globalRequests refuses what clients ask of the connection (RFC 4254 sections
// 4 and 7): forwarding does not exist here, and keepalives want no more than any
// answer. Only host keys are proven, and only so often.
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
