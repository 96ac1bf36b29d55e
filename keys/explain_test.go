package keys

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// wantExplained has it explained why a login with a key succeeded, or failed.
func wantExplained(t *testing.T, w *world, from, user string, key ssh.PublicKey, want bool) {
	t.Helper()
	steps, ok := w.Explain(Attempt{user, key, addr(from)})
	bad := 0
	for _, f := range steps {
		if !f.Good {
			bad++
		}
	}
	if ok != want || !ok && bad == 0 {
		t.Errorf("the login succeeded: %v; explained: %v %+v", want, ok, steps)
	}
}

// Each step tells which line decides.
func TestExplain(t *testing.T) {
	key, authority, lost := newKey(t), newKey(t), newKey(t)
	lines := file(t, "# ana", "", `from="192.0.2.0/24" `+text(key.PublicKey()), `restrict,command="internal-sftp" `+text(key.PublicKey()))
	networks, err := ParseSources([]string{"198.51.100.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	revoked, trusted := file(t, text(lost.PublicKey())), file(t, text(authority.PublicKey()))
	w := newWorld(t, Options{RevokedKeys: revoked, TrustedUserCAKeys: trusted, Accounts: []Account{
		{Name: "ana", AuthorizedKeys: NewAuthorizedKeys(lines, nil), TOTPSecret: anasSecret},
		{Name: "bob", AuthorizedKeys: inline(t, text(key.PublicKey())), From: networks, Expires: noon},
	}})
	for _, test := range []struct {
		account string
		key     ssh.PublicKey
		want    string
	}{
		{"ana", key.PublicKey(), "+ ana is an account|+ the key _ is listed LINES:3|+ the key _ is listed, for sftp and no command LINES:4|" +
			"+ to be proven then: keyboard-interactive authentication_methods"},
		{"ana", nil, "+ ana is an account|+ to be proven then: publickey authentication_methods"},
		{"ana", lost.PublicKey(), "+ ana is an account|- this key has been revoked REVOKED revoked_keys|+ to be proven then: keyboard-interactive authentication_methods"},
		{"ana", authority.PublicKey(), "+ ana is an account|- the key _ is not listed LINES authorized_keys_file|+ to be proven then: keyboard-interactive authentication_methods"},
		{"ana", cert(t, key, authority, nil).PublicKey(), "+ ana is an account|+ the authority _ of certificate \"laptop\" is trusted TRUSTED trusted_user_ca_keys|" +
			"+ to be proven then: keyboard-interactive authentication_methods"},
		{"bob", key.PublicKey(), "+ bob is an account|+ the key _ is listed authorized_keys|- this account expired on 2030-06-01 12:00 UTC expires|" +
			"- it may not log in from this address from|+ nothing more has to be proven authentication_methods"},
		{"eve", key.PublicKey(), "- there is no account eve accounts"},
	} {
		var got []string
		steps, _ := w.Explain(Attempt{test.account, test.key, addr(home)})
		for _, f := range steps {
			sign := "- "
			if f.Good {
				sign = "+ "
			}
			got = append(got, strings.Join(strings.Fields(sign+f.What+" "+f.Where+" "+f.Setting), " "))
		}
		one := strings.NewReplacer(lines, "LINES", revoked, "REVOKED", trusted, "TRUSTED",
			ssh.FingerprintSHA256(key.PublicKey()), "_", ssh.FingerprintSHA256(authority.PublicKey()), "_").Replace(strings.Join(got, "|"))
		if one != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.account, one, test.want)
		}
	}
}
