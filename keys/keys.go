// Package keys decides who may log in, and holds the host keys that the server
// proves itself with.
//
// The way in is [Accounts], which has the callbacks of an [ssh.ServerConfig]:
//
//	keys.go         Identity, and how it leaves this package
//	accounts.go     Accounts: all accounts, and a stand-in for unknown names
//	keyfiles.go     files that make accounts by their names
//	entrance.go     how each account could log in
//	explain.go      what would be decided on a login, step by step
//	methods.go      the methods that an account must succeed with, in order
//	login.go        one login, step by step
//	publickey.go    the verdict on a key
//	certificate.go  on a certificate
//	password.go     on a password
//	interactive.go  on the answers to prompts
//	totp.go         on a one-time code
//	usedcodes.go    the codes that were used, which a restart must not forget
//	backoff.go      how long those wait who guess
//	authorized.go   AuthorizedKeys: a file of keys, looked at anew at each login
//	keylist.go      what it lists, found by the key
//	line.go         one line of it: a key and the options that restrict it
//	source.go       from=: where a key may be used
//	policy.go       which keys are strong enough
//	revoked.go      which keys may not be used any more
//	judge.go        whether a login that succeeded would still
//	hostkey.go      the host key: made at the first start, then loaded
//	hostkeys.go     all host keys: their certificates, and the next keys
//	generate.go     making a key, and the folder for it
//
// Package protected reads files that others must not be able to change.
//
// Nothing here knows about libraries, or what an account may do in one.
package keys

import "golang.org/x/crypto/ssh"

// Identity is who logged in, and how that was proven.
type Identity struct {
	Account     string
	Method      string       // RFC 4252's name of the method, as "publickey", or of several
	Fingerprint string       // of the key, "SHA256:..."; "" for a method without one
	Certificate *Certificate // nil for a key alone
	SFTPOnly    bool         // the key may run no command: internal-sftp is forced

	key *provenKey // nil for a method without one
}

// provenKey is a key, or a certificate, that a client has proven to have. It has a
// pointer, so that identities can be compared.
type provenKey struct{ ssh.PublicKey }

// Certificate tells of a user certificate that was used.
type Certificate struct {
	KeyID  string // what the authority calls it
	Serial uint64
	CA     string // fingerprint of the authority's key, "SHA256:..."
}

// identityKey is the key of an Identity in [ssh.Permissions.ExtraData].
type identityKey struct{}

// IdentityOf finds the identity in the permissions of a login that succeeded.
//
// It must not be learnt in another way. A client may offer many keys before it
// signs with one, so what a callback remembers elsewhere may be of a key that was
// never proven (CVE-2024-45337).
func IdentityOf(p *ssh.Permissions) (Identity, bool) {
	if p == nil {
		return Identity{}, false
	}
	id, ok := p.ExtraData[identityKey{}].(Identity)
	return id, ok
}

// permissions are those that carry an identity.
func permissions(id Identity) *ssh.Permissions {
	return &ssh.Permissions{ExtraData: map[any]any{identityKey{}: id}}
}
