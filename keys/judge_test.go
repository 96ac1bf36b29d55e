package keys

import (
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// A login by certificate is good until the certificate, its key or its authority
// is not.
func TestJudgeCertificate(t *testing.T) {
	authority, key := newKey(t), newKey(t)
	trusted, revoked := file(t, text(authority.PublicKey())), file(t)
	w := newWorld(t, Options{
		Accounts:          []Account{{Name: "ana", AuthorizedKeys: inline(t, text(newKey(t).PublicKey()))}},
		TrustedUserCAKeys: trusted, RevokedKeys: revoked,
	})
	o := w.login(t, home, "ana", ssh.PublicKeys(cert(t, key, authority, nil)))
	if o.err != nil {
		t.Fatal(o.err)
	}
	judge := func(name string, want *Loss) {
		t.Helper()
		lost, _ := w.Judge(o.id, addr(home))
		switch {
		case lost == nil && want == nil:
		case lost == nil || want == nil || lost.Loss != *want:
			t.Errorf("%s: %+v", name, lost)
		}
	}
	isRevoked, isExpired := Revoked, Expired
	if lost, until := w.Judge(o.id, addr(home)); lost != nil || !until.Equal(noon.Add(time.Hour)) {
		t.Errorf("%v until %v", lost, until)
	}
	for path, name := range map[string]string{revoked: "the key is revoked", trusted: "the authority is not trusted"} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content := text(key.PublicKey())
		if path == trusted {
			content = text(newKey(t).PublicKey())
		}
		os.WriteFile(path, []byte(content), 0o600)
		judge(name, &isRevoked)
		os.WriteFile(path, before, 0o600)
		judge("as before", nil)
	}
	os.WriteFile(revoked, []byte("nonsense"), 0o600)
	judge("a list that can't be read", nil)
	os.WriteFile(revoked, nil, 0o600)
	w.now = func() time.Time { return noon.Add(2 * time.Hour) }
	judge("it has expired", &isExpired)
}

// Who has proven less than an account asks for now does not go on.
func TestJudgeMethod(t *testing.T) {
	key := newKey(t)
	account := Account{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey()))}
	o := newWorld(t, Options{Accounts: []Account{account}}).login(t, home, "ana", ssh.PublicKeys(key))
	if o.err != nil {
		t.Fatal(o.err)
	}
	account.TOTPSecret = anasSecret
	lost, _ := newWorld(t, Options{Accounts: []Account{account}}).Judge(o.id, addr(home))
	if lost == nil || lost.Loss != Removed {
		t.Errorf("%+v", lost)
	}
}
