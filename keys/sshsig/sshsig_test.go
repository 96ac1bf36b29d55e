package sshsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// ssh-keygen accepts what is signed, by a line of known_hosts, and nothing else is
// accepted here.
func TestSignAndVerify(t *testing.T) {
	_, ed, err1 := ed25519.GenerateKey(rand.Reader)
	rsaKey, err2 := rsa.GenerateKey(rand.Reader, 2048)
	ec, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	const namespace = "audit@shelf"
	message := []byte("the message\n")
	for _, key := range []crypto.Signer{ed, rsaKey, ec} {
		signer, err := ssh.NewSignerFromSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := Sign(signer, namespace, message)
		if err != nil {
			t.Fatal(err)
		}
		by, err := Verify(signature, namespace, message)
		if err != nil || string(by.Marshal()) != string(signer.PublicKey().Marshal()) {
			t.Errorf("%s: %v", signer.PublicKey().Type(), err)
		}
		if _, err := Verify(signature, "other", message); err == nil {
			t.Error("a signature for something else is accepted")
		}
		if _, err := Verify(signature, namespace, []byte("another")); err == nil {
			t.Error("another message is accepted")
		}
		for i := range signature {
			bad := append([]byte{}, signature...)
			bad[i] ^= 1
			if by, err := Verify(bad, namespace, message); err == nil && string(by.Marshal()) == string(signer.PublicKey().Marshal()) {
				t.Errorf("%s: byte %d was changed, and it is accepted", signer.PublicKey().Type(), i)
			}
		}
		keygen(t, signer.PublicKey(), signature, namespace, message, true)
		keygen(t, signer.PublicKey(), signature, namespace, []byte("another"), false)
	}
}

func keygen(t *testing.T, key ssh.PublicKey, signature []byte, namespace string, message []byte, want bool) {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Log("ssh-keygen is not installed")
		return
	}
	dir := t.TempDir()
	known, file := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "sig")
	os.WriteFile(known, append([]byte("[host]:2222 "), ssh.MarshalAuthorizedKey(key)...), 0o600)
	os.WriteFile(file, []byte(Armor(signature)), 0o600)
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", known, "-I", "[host]:2222", "-n", namespace, "-s", file)
	cmd.Stdin = strings.NewReader(string(message))
	if out, err := cmd.CombinedOutput(); (err == nil) != want {
		t.Errorf("ssh-keygen: %v\n%s", err, out)
	}
}
