package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func openKeys(t *testing.T, state string) HostKeys {
	t.Helper()
	k, err := OpenHostKeys(state)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func same(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// Missing keys are made, of each type, and those that are there stay. Each can be
// rotated.
func TestMissingHostKeys(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	first := openKeys(t, state)
	for range 2 {
		if err := MakeMissingHostKeys(state); err != nil {
			t.Fatal(err)
		}
		k := openKeys(t, state)
		var types []string
		for _, key := range k.Current {
			types = append(types, key.PublicKey().Type())
		}
		if !slices.Equal(types, []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256}) || len(k.Next) != 0 {
			t.Fatalf("got %q, %v", types, k.Next)
		}
		if !same(k.Current[0].PublicKey(), first.Current[0].PublicKey()) ||
			len(first.Current) == 3 && !same(k.Current[2].PublicKey(), first.Current[2].PublicKey()) {
			t.Error("a key that was there is another one")
		}
		first = k
	}
	path, next, err := MakeHostKey(state, "ecdsa")
	if err != nil || filepath.Base(path) != "ssh_host_ecdsa_key.next" {
		t.Fatal(path, err)
	}
	if changed, err := RotateHostKeys(state); err != nil || len(changed) != 1 {
		t.Fatal(changed, err)
	}
	if k := openKeys(t, state); !same(k.Current[2].PublicKey(), next) {
		t.Error("the next key is not used")
	}
	// A link that leads nowhere is a mistake to be told, not a key that is missing.
	link := filepath.Join(state, "ssh_host_rsa_key")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	if err := MakeMissingHostKeys(state); err != nil {
		t.Error(err)
	}
	if _, err := os.Readlink(link); err != nil {
		t.Errorf("the link was replaced: %v", err)
	}
}

// A next key is announced, then used; the old one is kept aside.
func TestHostKeysRotate(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	first := openKeys(t, state)
	if len(first.Current) != 1 || len(first.Next) != 0 {
		t.Fatalf("got %+v", first)
	}
	path, next, err := MakeHostKey(state, "ed25519")
	if err != nil || !strings.HasSuffix(path, ".next") {
		t.Fatal(path, err)
	}
	if _, _, err := MakeHostKey(state, "ed25519"); err == nil || !strings.Contains(err.Error(), "rotate") {
		t.Errorf("a next key is replaced: %v", err)
	}
	k := openKeys(t, state)
	if len(k.Current) != 1 || !same(k.Current[0].PublicKey(), first.Current[0].PublicKey()) ||
		len(k.Next) != 1 || !same(k.Next[0].PublicKey(), next) {
		t.Fatalf("got %+v", k)
	}
	changed, err := RotateHostKeys(state)
	if err != nil || len(changed) != 1 {
		t.Fatal(changed, err)
	}
	k = openKeys(t, state)
	if len(k.Current) != 1 || !same(k.Current[0].PublicKey(), next) || len(k.Next) != 0 {
		t.Errorf("after it was rotated: %+v", k)
	}
	old, err := loadHostKey(filepath.Join(state, hostKeyName+oldSuffix), ssh.KeyAlgoED25519)
	if err != nil || !same(old.PublicKey(), first.Current[0].PublicKey()) {
		t.Errorf("the old key is lost: %v", err)
	}
	if changed, err := RotateHostKeys(state); err != nil || len(changed) != 0 {
		t.Errorf("nothing is to rotate: %v, %v", changed, err)
	}
}

func TestRSAHostKeySignsWithSHA2(t *testing.T) {
	state := t.TempDir()
	path, _, err := MakeHostKey(state, "rsa")
	if err != nil || filepath.Base(path) != "ssh_host_rsa_key" {
		t.Fatal(path, err)
	}
	k := openKeys(t, state)
	if len(k.Current) != 2 || k.Current[0].PublicKey().Type() != ssh.KeyAlgoED25519 {
		t.Fatalf("got %+v", k)
	}
	many, ok := k.Current[1].(ssh.MultiAlgorithmSigner)
	if !ok || !slices.Equal(many.Algorithms(), []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}) {
		t.Errorf("it signs with %v", many)
	}
	if _, err := many.SignWithAlgorithm(rand.Reader, []byte("x"), ssh.KeyAlgoRSA); err == nil {
		t.Error("it signs with SHA-1")
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := writeKey(path, "", weak); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHostKeys(state); err == nil {
		t.Error("a weak host key is used")
	}
	if _, _, err := MakeHostKey(state, "dsa"); err == nil {
		t.Error("a key of type dsa is made")
	}
}

func TestHostCertificate(t *testing.T) {
	state, authority := t.TempDir(), newKey(t)
	plain := openKeys(t, state).Current[0]
	put := func(kind uint32, of ssh.PublicKey) {
		t.Helper()
		c := &ssh.Certificate{Key: of, CertType: kind, ValidPrincipals: []string{"files"}, ValidBefore: ssh.CertTimeInfinity}
		if err := c.SignCert(rand.Reader, authority); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(state, hostKeyName+certSuffix), ssh.MarshalAuthorizedKey(c), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(ssh.HostCert, plain.PublicKey())
	k := openKeys(t, state)
	if len(k.Current) != 2 || k.Current[0].PublicKey().Type() != ssh.CertAlgoED25519v01 || !same(k.Current[1].PublicKey(), plain.PublicKey()) {
		t.Errorf("got %+v", k)
	}
	for name, spoil := range map[string]func(){
		"of a user":      func() { put(ssh.UserCert, plain.PublicKey()) },
		"of another key": func() { put(ssh.HostCert, newKey(t).PublicKey()) },
	} {
		spoil()
		if _, err := OpenHostKeys(state); err == nil || !strings.Contains(err.Error(), "host certificate") {
			t.Errorf("a certificate %s: %v", name, err)
		}
	}
}

// A rotation that is killed or loses power between any two of its steps leaves a
// key that the server starts with, and can be run again.
func TestHostKeysRotateCutShort(t *testing.T) {
	full := rotated(t, func(string) {})
	for step, cut := range map[string]func(path string){
		"the old key has its second name": func(path string) {
			os.Link(path, path+".old")
		},
		"the certificate is aside": func(path string) {
			os.Link(path, path+".old")
			os.Rename(path+"-cert.pub", path+".old-cert.pub")
		},
		"of the last rename both names are left": func(path string) {
			os.Link(path, path+".old")
			os.Remove(path)
			os.Link(path+".next", path)
		},
	} {
		if got := rotated(t, cut); got != full {
			t.Errorf("%s: the folder holds %s, want %s", step, got, full)
		}
	}
}

// rotated makes a key and its next one, does what a rotation has done when it is
// cut short, sees that there is a key to start with, rotates, and tells what is
// there: whether the key is the next one of before, and whether others are left.
func rotated(t *testing.T, cut func(path string)) string {
	t.Helper()
	state := t.TempDir()
	first, err := HostKey(state)
	if err != nil {
		t.Fatal(err)
	}
	_, next, err := MakeHostKey(state, "ed25519")
	if err != nil {
		t.Fatal(err)
	}
	cut(filepath.Join(state, hostKeyName))
	if k, err := OpenHostKeys(state); err != nil || len(k.Current) != 1 {
		t.Fatal(k, err)
	}
	if _, err := RotateHostKeys(state); err != nil {
		t.Fatal(err)
	}
	k, err := OpenHostKeys(state)
	if err != nil {
		t.Fatal(err)
	}
	old, err := loadSigner(filepath.Join(state, hostKeyName+".old"), ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("the next key: %v; the old key: %v; next keys: %d",
		same(k.Current[0].PublicKey(), next), same(old.PublicKey(), first.PublicKey()), len(k.Next))
}

// A state folder is made with those above it, and is there after a power cut:
// the key that clients learn must not be another one the next day.
func TestHostKeyMakesFolders(t *testing.T) {
	state := filepath.Join(t.TempDir(), "a", "b", "c")
	if _, err := HostKey(state); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(state); err != nil || i.Mode().Perm() != 0o700 {
		t.Error(i, err)
	}
	if err := os.WriteFile(state+".file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := HostKey(state + ".file"); err == nil {
		t.Error("a file was taken for the state folder")
	}
}

// A key that was in use can be found for ever, since it has signed something, also
// after the next rotation.
func TestOldHostKeys(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	var want []string
	for range 3 {
		path, key, err := MakeHostKey(state, "ed25519")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, ssh.FingerprintSHA256(key))
		if strings.HasSuffix(path, nextSuffix) {
			if _, err := RotateHostKeys(state); err != nil {
				t.Fatal(err)
			}
		}
	}
	old, err := OldHostKeys(state)
	var got []string
	for _, key := range old {
		got = append(got, ssh.FingerprintSHA256(key))
	}
	if err != nil || !slices.Equal(got, want[:2]) {
		t.Errorf("got %v (%v), want %v", got, err, want[:2])
	}
}
