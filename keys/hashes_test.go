package keys

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// anasSHA512 is of anasPassword; openssl passwd -6 has made it.
const anasSHA512 = "$6$saltsalt$CPgxBHZBXfhC6lX1yxpdEsbQfXmg3WXVj8AoVwyNFLfb5AtbfM8k6A8yehv1z6sgzoH/DUIs7YK9hVnGhTjhW/"

// Hashes of other servers are good to log in with.
func TestHashesOfOtherServers(t *testing.T) {
	blowfish, err := bcrypt.GenerateFromPassword([]byte(anasPassword), 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{string(blowfish), strings.Replace(string(blowfish), "$2a$", "$2y$", 1), anasSHA512} {
		w := newWorld(t, Options{Accounts: []Account{{Name: "ana", PasswordHash: hash}}})
		if o := w.login(t, home, "ana", ssh.Password(anasPassword)); o.err != nil {
			t.Errorf("%s: %v", hash, o.err)
		}
		for _, wrong := range []string{"", "wrong", anasPassword + "x"} {
			if o := w.login(t, home, "ana", ssh.Password(wrong)); o.err == nil {
				t.Errorf("%s: %q is right", hash, wrong)
			}
		}
	}
	for _, bad := range []string{
		"secret", "$1$abc$def", "$5$saltsalt$xyz", "$6$saltsalt$", "$6$saltsalt$short", "$6$rounds=999999999" + anasSHA512[2:], "$6$rounds=1" + anasSHA512[2:],
		"$2b$20$" + string(blowfish[7:]), "$2b$05$short", string(blowfish) + "x",
	} {
		if _, err := NewAccounts(Options{Accounts: []Account{{Name: "ana", PasswordHash: bad}}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
