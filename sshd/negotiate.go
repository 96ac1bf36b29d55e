package sshd

import (
	"slices"

	"golang.org/x/crypto/ssh"
)

// offer is the part of our KEXINIT that depends on the client's.
type offer struct{ ciphers, macs []string }

// negotiate decides what to offer to a client.
//
// The client's order decides (RFC 4253 section 7.1), and OpenSSH's begins with
// chacha20-poly1305, which Go runs at a third of the speed of AES-GCM where the
// processor has AES. So a client that lists AES-GCM is offered nothing else.
//
// libssh2 up to 1.10 has neither AES-GCM nor encrypt-then-MAC: for clients like
// it hmac-sha2-256 is added, since they could not agree otherwise.
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

// lacksMAC tells whether the cipher of one direction will need a MAC and none
// can be agreed on.
func lacksMAC(clientCiphers, clientMACs []string, o offer) bool {
	cipher := agree(clientCiphers, o.ciphers)
	needsMAC := cipher == ssh.CipherAES128CTR || cipher == ssh.CipherAES256CTR
	return needsMAC && agree(clientMACs, o.macs) == ""
}

// agree is the first of the client's names that the server has too, or "".
func agree(client, server []string) string {
	for _, name := range client {
		if slices.Contains(server, name) {
			return name
		}
	}
	return ""
}
