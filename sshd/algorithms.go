package sshd

import (
	"context"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"shelf/keys"
	"shelf/sshd/wire"
)

// rekeyThreshold is the number of bytes after which new keys are negotiated. RFC
// 4253 section 9 recommends 1 GiB; x/crypto's default with AES is 64 GiB.
const rekeyThreshold = 1 << 30

// keyExchanges do without SHA-1 and the NIST curves. The first is also safe from
// quantum computers. x/crypto adds curve25519-sha256@libssh.org.
func keyExchanges() []string {
	return []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519}
}

// curve25519LibSSH is the older name of ssh.KeyExchangeCurve25519.
const curve25519LibSSH = "curve25519-sha256@libssh.org"

// nistKeyExchanges are for clients that have none of the others.
func nistKeyExchanges() []string {
	return []string{ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384}
}

// fipsUserAlgorithms are those of the signatures that FIPS 140-3 allows.
func fipsUserAlgorithms() []string {
	return slices.DeleteFunc(keys.UserAlgorithms(), func(name string) bool {
		return name == ssh.KeyAlgoED25519 || name == ssh.KeyAlgoSKED25519
	})
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

// sshConfig is the configuration of x/crypto for one client. What it offers
// depends on the client's hello; admit is called when a login has succeeded.
// Nothing waits for it any more when ctx ends.
func (c Config) sshConfig(ctx context.Context, h wire.Hello, admit func(keys.Identity) error) *ssh.ServerConfig {
	offer, userAlgorithms := negotiate(h.KexInit, hasAES()), keys.UserAlgorithms()
	if c.FIPS {
		offer, userAlgorithms = offer.fips(), fipsUserAlgorithms()
	}
	s := &ssh.ServerConfig{
		Config: ssh.Config{
			KeyExchanges:   offer.keyExchanges,
			Ciphers:        offer.ciphers,
			MACs:           offer.macs,
			RekeyThreshold: rekeyThreshold,
		},
		PublicKeyAuthAlgorithms:   userAlgorithms,
		MaxAuthTries:              c.Limits.MaxAuthTries,
		ServerVersion:             wire.Version,
		VerifiedPublicKeyCallback: c.Accounts.Verified,
	}
	begin := c.Accounts.Callbacks(ctx, admit)
	s.PublicKeyCallback, s.PasswordCallback = begin.PublicKeyCallback, begin.PasswordCallback
	s.KeyboardInteractiveCallback = begin.KeyboardInteractiveCallback
	for _, key := range c.hostKeys(h.KexInit) {
		s.AddHostKey(key)
	}
	return s
}
