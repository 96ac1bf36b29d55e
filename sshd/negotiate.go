package sshd

import (
	"slices"

	"shelf/sshd/wire"

	"golang.org/x/crypto/ssh"
)

// offer is the part of our KEXINIT that depends on the client's.
type offer struct{ keyExchanges, ciphers, macs []string }

// negotiate decides what to offer to a client.
//
// The client's preference decides (RFC 4253 section 7.1). OpenSSH prefers
// chacha20-poly1305, which in Go has a third of the speed of AES-GCM on a
// processor with AES instructions. So a client that supports AES-GCM is offered
// nothing else.
//
// libssh2 up to 1.10 supports neither AES-GCM nor encrypt-then-MAC. Such clients
// are offered hmac-sha2-256, too, without which no MAC could be agreed on. Clients
// without curve25519, such as Ruby's net-ssh, JSch 0.1 and those that FIPS limits,
// are offered the NIST curves in the same way.
func negotiate(client *wire.KexInit, aes bool) offer {
	o := offer{keyExchanges: keyExchanges(), ciphers: ciphers(), macs: macs()}
	if client == nil {
		return o
	}
	if agree(client.KexAlgos, append(keyExchanges(), curve25519LibSSH)) == "" {
		o.keyExchanges = append(o.keyExchanges, nistKeyExchanges()...)
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

// fips restricts an offer to what FIPS 140-3 allows.
func (o offer) fips() offer {
	o.keyExchanges = nistKeyExchanges()
	o.ciphers = slices.DeleteFunc(slices.Clone(o.ciphers), func(name string) bool { return name == ssh.CipherChaCha20Poly1305 })
	return o
}

// hostKeys are the host keys that a client is offered.
//
// A client that knows Ed25519 gets that, whatever it would prefer: it may have
// learnt that key when there was no other, and would take another for an attack.
// But one that puts RSA first, as OpenSSH does once it has learnt an RSA key, has
// that choice. All other clients are offered the other types.
func (c Config) hostKeys(client *wire.KexInit) (offered []ssh.Signer) {
	of := func(types ...string) []ssh.Signer {
		return slices.DeleteFunc(slices.Clone(c.HostKeys), func(s ssh.Signer) bool { return !slices.Contains(types, plainType(s)) })
	}
	others := of(ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSA)
	preferred := of(ssh.KeyAlgoED25519)
	switch {
	case c.FIPS || len(preferred) == 0:
		return others
	case client == nil || prefersRSA(client):
		return append(preferred, of(ssh.KeyAlgoRSA)...)
	case agree(client.ServerHostKeyAlgos, algorithmsOf(preferred)) != "":
		return preferred
	}
	return others
}

// plainType is the type of a host key, or of the key in a certificate.
func plainType(s ssh.Signer) string {
	if cert, ok := s.PublicKey().(*ssh.Certificate); ok {
		return cert.Key.Type()
	}
	return s.PublicKey().Type()
}

func algorithmsOf(keys []ssh.Signer) (names []string) {
	for _, key := range keys {
		names = append(names, key.PublicKey().Type())
	}
	return names
}

// prefersRSA tells whether RSA is the first type of host key, without
// certificates, that the client names.
func prefersRSA(client *wire.KexInit) bool {
	first := agree(client.ServerHostKeyAlgos, []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	})
	return first == ssh.KeyAlgoRSASHA512 || first == ssh.KeyAlgoRSASHA256
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
