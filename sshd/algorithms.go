package sshd

import (
	"context"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"shelf/keys"
)

// rekeyThreshold is after how many bytes keys are exchanged anew, as RFC 4253
// section 9 asks; x/crypto alone would wait for 64 GiB with AES.
const rekeyThreshold = 1 << 30

// keyExchanges are free of SHA-1 and of the NIST curves; the first also stands
// against a quantum computer. x/crypto adds curve25519-sha256@libssh.org.
func keyExchanges() []string {
	return []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519}
}

// aeadAES are the ciphers that are fast where the processor has AES.
func aeadAES() []string {
	return []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}
}

func ciphers() []string {
	return append(aeadAES(), ssh.CipherChaCha20Poly1305, ssh.CipherAES128CTR, ssh.CipherAES256CTR)
}

// macs are for aes-ctr alone; the other ciphers authenticate by themselves.
func macs() []string {
	return []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM}
}

// hasAES tells whether AES-GCM runs in hardware here.
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
