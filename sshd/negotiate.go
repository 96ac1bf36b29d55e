package sshd

import (
	"slices"

	"golang.org/x/crypto/ssh"
)

// offer is the part of our KEXINIT that depends on the client's.
type offer struct{ ciphers, macs []string }

// negotiate decides what to offer to a client.
//
// The client's preference decides (RFC 4253 section 7.1). OpenSSH prefers
// chacha20-poly1305, which in Go has a third of the speed of AES-GCM on a
// processor with AES instructions. So a client that supports AES-GCM is offered
// nothing else.
//
// libssh2 up to 1.10 supports neither AES-GCM nor encrypt-then-MAC. Such clients
// are offered hmac-sha2-256, too, without which no MAC could be agreed on.
func negotiate(client *kexInit, aes bool) offer {
	o := offer{ciphers: ciphers(), macs: macs()}
	if client == nil {
		return o
	}
	if aes && agree(client.CiphersClientServer, aeadAES()) != "" && agree(client.CiphersServerClient, aeadAES()) != "" {
		o.ciphers = aeadAES()
		return o
	}
	if lacksMAC(client.CiphersClientServer, client.MACsClientServer, o) ||
		lacksMAC(client.CiphersServerClient, client.MACsServerClient, o) {
		o.macs = append(o.macs, ssh.HMACSHA256)
	}
	return o
}

// lacksMAC tells whether the cipher of one direction needs a MAC, and client and
// server have no MAC in common.
func lacksMAC(clientCiphers, clientMACs []string, o offer) bool {
	cipher := agree(clientCiphers, o.ciphers)
	needsMAC := cipher == ssh.CipherAES128CTR || cipher == ssh.CipherAES256CTR
	return needsMAC && agree(clientMACs, o.macs) == ""
}

// agree returns the first of the client's names that the server has, too, or "".
func agree(client, server []string) string {
	for _, name := range client {
		if slices.Contains(server, name) {
			return name
		}
	}
	return ""
}
