package tests

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shelfIn runs our client in a folder, and returns all that it prints and its status.
func shelfIn(dir string, args ...string) (out string, status int) {
	cmd := exec.Command("shelf", args...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		return err.Error(), -1
	}
	return string(text), 0
}

// TestShelfReceipts has our client keep receipts, and check them without the server;
// ssh-keygen agrees.
func TestShelfReceipts(t *testing.T) {
	t.Parallel()
	s := serveReceipts(t, t.TempDir(), withReceipts)
	here := t.TempDir()
	large := content(3, 3<<20)
	for name, text := range map[string][]byte{"a.txt": []byte("a"), "b.txt": nil, "it's large": large} {
		if err := os.WriteFile(filepath.Join(here, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(here, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	known := s.knownHosts(t)
	put := func(account string, args ...string) {
		t.Helper()
		if out, status := shelfIn(here, append([]string{"-F", s.config, account + "@shelf", "put"}, args...)...); status != 0 || !strings.Contains(out, "receipt in ") {
			t.Fatalf("put %v: status %d\n%s", args, status, out)
		}
	}
	check := func(receipt, file string, want int, says string) {
		t.Helper()
		if out, status := shelfIn(here, "verify", "--known-hosts", known, receipt, file); status != want || !strings.Contains(out, says) {
			t.Errorf("verify %s %s: status %d, not %d with %q:\n%s", receipt, file, status, want, says, out)
		}
	}
	put(user, "a.txt", "b.txt", "it's large", "--receipt")
	put("guest", "it's large", "--receipt=kept", "as", "of-guest")
	for receipt, file := range map[string]string{"a.txt.receipt": "a.txt", "b.txt.receipt": "b.txt", "it's large.receipt": "it's large", "kept/of-guest.receipt": "it's large"} {
		check(receipt, file, 0, "the key of [files.example]:2222")
		if err := (kept{file: filepath.Join(here, receipt)}).verify(known); err != nil {
			t.Error(err)
		}
	}
	check("kept/of-guest.receipt", "it's large", 0, fmt.Sprintf("%d bytes, put as of-guest into in by guest, 20", len(large)))
	// The same file again is the same receipt.
	before := slurp(t, filepath.Join(here, "it's large.receipt"))
	put(user, "it's large", "--receipt")
	if after := slurp(t, filepath.Join(here, "it's large.receipt")); !bytes.Equal(before, after) {
		t.Errorf("the receipt was %s and is %s", before, after)
	}
	if out, status := shelfIn(here, "--json", "--known-hosts", known, "verify", "a.txt.receipt", "a.txt"); status != 0 || !strings.Contains(out, `{"event":"verified","name":"a.txt","size":1,"sha256":"`) {
		t.Errorf("%d: %s", status, out)
	}

	check("a.txt.receipt", "b.txt", 1, "b.txt is not the file of the receipt")
	check("b.txt.receipt", "nothing", 1, "no such file")
	check("nothing", "a.txt", 1, "no such file")
	change := func(name string, says string) {
		t.Helper()
		file := filepath.Join(here, name)
		was := slurp(t, file)
		text := bytes.Clone(was)
		text[len(text)/2] ^= 1
		os.WriteFile(file, text, 0o600)
		check("it's large.receipt", "it's large", 1, says)
		os.WriteFile(file, was, 0o600)
		check("it's large.receipt", "it's large", 0, "")
	}
	change("it's large", "is not the file of the receipt")
	change("it's large.receipt", "the signature does not fit")
	change("it's large.receipt.sig", "signature")
	os.Rename(filepath.Join(here, "a.txt.receipt.sig"), filepath.Join(here, "b.txt.receipt.sig"))
	check("b.txt.receipt", "b.txt", 1, "the signature does not fit")
	check("a.txt.receipt", "a.txt", 1, "no such file")

	text := string(slurp(t, known))
	os.WriteFile(known, []byte("@revoked "+strings.ReplaceAll(text, "\n[", "\n@revoked [")), 0o600)
	check("it's large.receipt", "it's large", 4, "REVOKED")
	os.WriteFile(known, []byte(strings.ReplaceAll("\n"+text, "\n[", "\n@cert-authority [")), 0o600)
	check("it's large.receipt", "it's large", 4, "is the key of no known host")
	os.WriteFile(known, []byte(text), 0o600)
	succeed(t, exec.Command("ssh-keygen", "-q", "-H", "-f", known))
	check("it's large.receipt", "it's large", 0, "the key of the host of line 1 of "+known)
}

// TestShelfReceiptOfStdin keeps the receipt of what came from a pipe.
func TestShelfReceiptOfStdin(t *testing.T) {
	t.Parallel()
	s := serveReceipts(t, t.TempDir(), withReceipts)
	here := t.TempDir()
	cmd := exec.Command("shelf", "-F", s.config, "shelf", "put", "-", "--receipt", "as", "piped")
	cmd.Dir, cmd.Stdin = here, strings.NewReader("from a pipe")
	succeed(t, cmd)
	os.WriteFile(filepath.Join(here, "file"), []byte("from a pipe"), 0o600)
	if out, status := shelfIn(here, "verify", "--known-hosts", s.knownHosts(t), "piped.receipt", "file"); status != 0 {
		t.Error(out)
	}
}

// TestShelfReceiptOfOthers says that a server that is not Shelf gives none, and that
// the file is there nevertheless.
func TestShelfReceiptOfOthers(t *testing.T) {
	t.Parallel()
	o := serveOpenSSH(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := o.shelf("put", "--receipt="+filepath.Dir(file), file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "it is uploaded, but there is no receipt: ") || !strings.Contains(string(out), "the file was sent, but there is no receipt of it") {
		t.Errorf("%v\n%s", err, out)
	}
	mustBe(t, filepath.Join(o.folder, "file"), []byte("text"))
	if _, err := os.Stat(file + ".receipt"); err == nil {
		t.Error("there is a receipt")
	}
}
