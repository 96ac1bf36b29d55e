package sshd

import "golang.org/x/crypto/ssh"

// globalRequest refuses what clients ask of the connection (RFC 4254 sections 4
// and 7): forwarding does not exist here, and keepalives want no more than any
// answer. Only host keys are proven, and only so often.
func (c *conn) globalRequest(r *ssh.Request, proofs *int) {
	if r.Type == hostKeysProven && *proofs < maxProofs {
		*proofs++
		proof, ok := c.proveHostKeys(r.Payload)
		r.Reply(ok, proof)
		return
	}
	if r.WantReply {
		r.Reply(false, nil)
	}
}
