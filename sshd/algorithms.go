package sshd

import (
	"context"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"shelf/keys"
)

// rekeyThreshold is the number of bytes after which new keys are negotiated. RFC
// 4253 section 9 recommends 1 GiB; x/crypto's default with AES is 64 GiB.
const rekeyThreshold = 1 << 30

// keyExchanges do without SHA-1 and the NIST curves. The first is also safe from
// quantum computers. x/crypto adds curve25519-sha256@libssh.org.
func keyExchanges() []string {
	return []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519}
}

// aeadAES are the ciphers that are fast on a processor with AES instructions.
func aeadAES() []string {
	return []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}
}

// ciphers are all ciphers, the preferred ones first.
func ciphers() []string {
	return append(aeadAES(), ssh.CipherChaCha20Poly1305, ssh.CipherAES128CTR, ssh.CipherAES256CTR)
}

// macs are used with aes-ctr only. The other ciphers authenticate by themselves.
func macs() []string {
	return []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM}
}

// hasAES tells whether this processor has instructions for AES-GCM.
func hasAES() bool {
	return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ ||
		cpu.ARM64.HasAES && cpu.ARM64.HasPMULL ||
		cpu.S390X.HasAES && cpu.S390X.HasAESGCM
}

// sshConfig is what x/crypto needs to serve a client that said hello, and that
// admit lets in. Nothing waits for it any more when ctx ends.
func (c Config) sshConfig(ctx context.Context, h hello, admit func(keys.Identity) error) *ssh.ServerConfig {
	offer := negotiate(h.kexInit, hasAES())
	s := &ssh.ServerConfig{
		Config: ssh.Config{
			KeyExchanges:   keyExchanges(),
			Ciphers:        offer.ciphers,
			MACs:           offer.macs,
			RekeyThreshold: rekeyThreshold,
		},
		PublicKeyAuthAlgorithms:   keys.UserAlgorithms(),
		MaxAuthTries:              c.Limits.MaxAuthTries,
		ServerVersion:             serverVersion,
		VerifiedPublicKeyCallback: c.Accounts.Verified,
	}
	begin := c.Accounts.Callbacks(ctx, admit)
	s.PublicKeyCallback, s.PasswordCallback = begin.PublicKeyCallback, begin.PasswordCallback
	s.KeyboardInteractiveCallback = begin.KeyboardInteractiveCallback
	for _, key := range c.HostKeys {
		s.AddHostKey(key)
	}
	return s
}
