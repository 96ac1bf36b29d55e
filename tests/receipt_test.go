package tests

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withReceipts has a drop box, and two that may do more.
const withReceipts = `
audit_log = "log/audit.jsonl"
[libraries.in]
path = "library"
[accounts.ada]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["admin"]
[accounts.bob]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["reader"]
[accounts.guest]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["dropbox"]
`

// serveReceipts starts a server on what is in dir.
func serveReceipts(t *testing.T, dir, toml string) *server {
	t.Helper()
	s := startReceipts(t, dir, toml)
	stopAtEnd(t, s)
	return s
}

// startReceipts is serveReceipts for a server that is to be killed.
func startReceipts(t *testing.T, dir, toml string) *server {
	t.Helper()
	need(t, "ssh")
	need(t, "ssh-keygen")
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	return mustStart(t, dir, toml)
}

// ssh runs a command line as an account.
func (s *server) ssh(account, line string) (out, said string, err error) {
	cmd := exec.Command("ssh", "-F", s.config, "-l", account, "shelf", line)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// kept is a receipt as somebody keeps it.
type kept struct {
	file string // the signature is beside it, with ".sig"
	text string

	Server, Account, Key, Library, Name, SHA256, Time string
	PutAs                                             string `json:"put_as"`
	Size                                              int64
	Seq                                               uint64
	Replaced                                          *struct {
		Size   int64
		SHA256 string
	}
}

// receipt asks for the receipt of a file.
func (s *server) receipt(t *testing.T, account, name string) kept {
	t.Helper()
	k := kept{file: filepath.Join(t.TempDir(), "receipt")}
	for file, flags := range map[string]string{k.file: "", k.file + ".sig": "--signature "} {
		out, said, err := s.ssh(account, "receipt "+flags+"'"+name+"'")
		if err == nil {
			err = os.WriteFile(file, []byte(out), 0o600)
		}
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, said)
		}
		if flags == "" {
			k.text = out
		}
	}
	if err := json.Unmarshal([]byte(k.text), &k); err != nil || !strings.HasSuffix(k.text, "}\n") || strings.Count(k.text, "\n") != 1 {
		t.Fatalf("%v: %q", err, k.text)
	}
	return k
}

// noReceipt asks for a receipt, and fails the test if the server gives one.
func (s *server) noReceipt(t *testing.T, account, name, says string) {
	t.Helper()
	out, said, err := s.ssh(account, "receipt '"+name+"'")
	if status := (*exec.ExitError)(nil); !errors.As(err, &status) || status.ExitCode() != 1 || out != "" || !strings.Contains(said, says) || strings.Contains(said, s.dir) {
		t.Errorf("receipt %s: %v: %s%s, not: %s", name, err, out, said, says)
	}
}

// knownHosts asks the server's machine for all its host keys, old ones too.
func (s *server) knownHosts(t *testing.T) (file string) {
	t.Helper()
	out, err := exec.Command("shelfd", "hostkey", "--state", s.state, "--known-hosts", "[files.example]:2222").Output()
	file = filepath.Join(t.TempDir(), "known_hosts")
	if err = errors.Join(err, os.WriteFile(file, out, 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

// verify has ssh-keygen check a receipt.
func (k kept) verify(known string) error {
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", known, "-I", "[files.example]:2222", "-n", "receipt@shelf", "-s", k.file+".sig")
	text, err := os.ReadFile(k.file)
	if err != nil {
		return err
	}
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// is fails unless the receipt is that of a content, from an account.
func (k kept) is(t *testing.T, account, name string, content []byte) {
	t.Helper()
	sum := sha256.Sum256(content)
	if k.Account != account || k.Library != "in" || k.Name != name || k.Size != int64(len(content)) || k.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the receipt of %s, %d bytes by %s, is %s", name, len(content), account, k.text)
	}
	if at, err := time.Parse(time.RFC3339, k.Time); err != nil || time.Since(at) > time.Hour || k.Server == "" || k.Seq == 0 || !strings.HasPrefix(k.Key, "SHA256:") {
		t.Errorf("something is missing: %s", k.text)
	}
}

// TestReceiptVerifies has stock clients upload, and stock ssh-keygen check what they
// are given for that: as it is, and with any byte of it changed.
func TestReceiptVerifies(t *testing.T) {
	oneServer(t, "receipts, which the server gives that took the upload")
	t.Parallel()
	s := serveReceipts(t, t.TempDir(), withReceipts)
	local := filepath.Join(t.TempDir(), "local")
	writeRandom(t, local, 300_000)
	content := slurp(t, local)
	var k kept
	known := s.knownHosts(t)
	for name, cmd := range map[string]*exec.Cmd{
		"by sftp":  sftpBatch(s, fmt.Sprintf("put %q \"by sftp\"\n", local)),
		"by-scp":   exec.Command("scp", "-F", s.config, local, "shelf:by-scp"),
		"by-scp-O": exec.Command("scp", "-O", "-F", s.config, local, "shelf:by-scp-O"),
		"by-shelf": exec.Command("shelf", "-F", s.config, "shelf", "put", local, "as", "by-shelf"),
		`it's "é"`: exec.Command("shelf", "-F", s.config, "shelf", "put", local, "as", `it's "é"`),
	} {
		succeed(t, cmd)
		k = s.receipt(t, user, strings.ReplaceAll(name, "'", `'\''`))
		k.is(t, user, name, content)
		if err := k.verify(known); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	signature := string(slurp(t, k.file+".sig"))
	for i := range k.text {
		changed := []byte(k.text)
		changed[i] ^= 1
		os.WriteFile(k.file, changed, 0o600)
		if k.verify(known) == nil {
			t.Errorf("byte %d of the receipt was changed, and it verifies: %s", i, changed)
		}
	}
	os.WriteFile(k.file, []byte(k.text), 0o600)
	body := strings.Index(signature, "\n") + 1
	for i := body; i < strings.Index(signature, "\n-----END"); i += 3 {
		if signature[i] == '\n' || signature[i] == '=' {
			continue
		}
		changed := []byte(signature)
		changed[i] = map[bool]byte{true: 'B', false: 'A'}[changed[i] == 'A']
		os.WriteFile(k.file+".sig", changed, 0o600)
		if k.verify(known) == nil {
			t.Errorf("byte %d of the signature was changed, and it verifies:\n%s", i, changed)
		}
	}
	os.WriteFile(k.file+".sig", []byte(signature), 0o600)
	if err := k.verify(known); err != nil {
		t.Error(err)
	}
}

// TestReceiptsOfADropBox gives an account that may not read the receipts of its own
// uploads, whatever has become of them, and of no other.
func TestReceiptsOfADropBox(t *testing.T) {
	oneServer(t, "receipts, which the server gives that took the upload")
	t.Parallel()
	s := serveReceipts(t, t.TempDir(), withReceipts)
	up := func(account, name string, content []byte) {
		t.Helper()
		c, err := s.connectAs(account)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if err := c.upload(name, content); err != nil {
			t.Fatal(err)
		}
	}
	mine, others := []byte("of the guest"), []byte("of somebody else")
	up("guest", "mine", mine)
	up("guest", "taken", mine)
	up(user, "theirs", others)
	s.receipt(t, "guest", "mine").is(t, "guest", "mine", mine)
	const none = "no receipt: the audit log that is searched has no line of an upload of that name by this account"
	s.noReceipt(t, "guest", "theirs", none)
	s.noReceipt(t, "guest", "nothing", none)
	s.noReceipt(t, "guest", "../log/audit.jsonl", "no such file")

	// It was picked up, and replaced: the guest has delivered nevertheless.
	if err := os.Remove(filepath.Join(s.library, "taken")); err != nil {
		t.Fatal(err)
	}
	up(user, "mine", others)
	s.receipt(t, "guest", "mine").is(t, "guest", "mine", mine)
	s.receipt(t, "guest", "taken").is(t, "guest", "taken", mine)

	// Who may read gets that of the file as it is now.
	k := s.receipt(t, "bob", "mine")
	k.is(t, user, "mine", others)
	if sum := sha256.Sum256(mine); k.Replaced == nil || k.Replaced.Size != int64(len(mine)) || k.Replaced.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("what it replaced is not in %s", k.text)
	}
	s.noReceipt(t, "bob", "taken", none)
	if text := slurp(t, filepath.Join(s.dir, "log", "audit.jsonl")); !bytes.Contains(text, []byte(`"op":"receipt","result":"ok"`)) || !bytes.Contains(text, []byte(`"op":"receipt","result":"refused"`)) {
		t.Error("the audit log does not tell who asked for receipts")
	}
}

// TestReceiptsTellNothingOfOthers has an account that may replace and rename files, but not
// read them: its receipts do not tell what it replaced, nor that it has put what another has.
func TestReceiptsTellNothingOfOthers(t *testing.T) {
	oneServer(t, "receipts, which the server gives that took the upload")
	t.Parallel()
	s := serveReceipts(t, t.TempDir(), strings.ReplaceAll(withReceipts, `["dropbox"]`, `["write", "overwrite", "rename"]`))
	others := s.dial(t)
	guest, err := s.connectAs("guest")
	if err != nil {
		t.Fatal(err)
	}
	defer guest.close()
	mine := []byte("of the guest")
	if err := errors.Join(others.upload("name", []byte("a secret")), guest.upload("name", mine)); err != nil {
		t.Fatal(err)
	}
	k := s.receipt(t, "guest", "name")
	if k.is(t, "guest", "name", mine); k.Replaced != nil {
		t.Errorf("who may not read learns of the file of another: %s", k.text)
	}
	if k := s.receipt(t, user, "name"); k.Replaced == nil {
		t.Errorf("who may read does not learn what was replaced: %s", k.text)
	}
	if err := errors.Join(others.upload("name", []byte("of another!!")), guest.PosixRename("name", "renamed")); err != nil {
		t.Fatal(err)
	}
	s.noReceipt(t, "guest", "renamed", "no receipt: the audit log that is searched has no line of an upload of that name by this account")
	s.receipt(t, user, "renamed").is(t, user, "renamed", []byte("of another!!"))
}

// TestReceiptsOfOwnLibraries has two accounts put the same into libraries of their own,
// which have one name: neither learns of the other.
func TestReceiptsOfOwnLibraries(t *testing.T) {
	oneServer(t, "receipts, which the server gives that took the upload")
	t.Parallel()
	toml := strings.ReplaceAll(withReceipts, `path = "library"`, `path = "library/%u"`)
	s := serveReceipts(t, t.TempDir(), strings.ReplaceAll(toml, `["dropbox"]`, `["editor"]`))
	content := []byte("the same")
	for _, account := range []string{user, "guest"} {
		c, err := s.connectAs(account)
		if err == nil {
			err = c.upload("name", content)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.close()
	}
	for _, account := range []string{user, "guest"} {
		s.receipt(t, account, "name").is(t, account, "name", content)
	}
	if err := os.WriteFile(filepath.Join(s.library, "guest", "other"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	c := s.dial(t)
	if err := c.upload("other", content); err != nil {
		t.Fatal(err)
	}
	s.noReceipt(t, "guest", "other", "no receipt: the audit log that is searched has no line of the upload of this file")
}

// TestReceiptsOfChangedFiles gives none for what is not what was uploaded.
func TestReceiptsOfChangedFiles(t *testing.T) {
	oneServer(t, "receipts, which the server gives that took the upload")
	t.Parallel()
	s := serveReceipts(t, t.TempDir(), withReceipts)
	c := s.dial(t)
	content := []byte("as it was uploaded")
	for _, name := range []string{"changed", "touched", "renamed-before", "looked-at"} {
		if err := c.upload(name, content); err != nil {
			t.Fatal(err)
		}
	}
	const no = "no receipt: the file was changed since it was uploaded"
	s.put(t, "changed", []byte("AS IT WAS UPLOADED"))
	s.noReceipt(t, user, "changed", no)
	// Put back as it was, it is what was uploaded.
	s.put(t, "changed", content)
	s.receipt(t, user, "changed").is(t, user, "changed", content)

	s.put(t, "foreign", content)
	s.noReceipt(t, user, "foreign", "no receipt: the audit log that is searched has no line of the upload of this file")

	if err := errors.Join(os.Chtimes(filepath.Join(s.library, "touched"), time.Unix(1, 0), time.Unix(1, 0)), c.Chmod("touched", 0o600)); err != nil {
		t.Fatal(err)
	}
	s.receipt(t, user, "touched").is(t, user, "touched", content)

	if err := c.Rename("renamed-before", "renamed"); err != nil {
		t.Fatal(err)
	}
	if k := s.receipt(t, user, "renamed"); k.PutAs != "renamed-before" {
		t.Error(k.text)
	} else {
		k.is(t, user, "renamed", content)
	}
	// Changed, then renamed: the version of the rename is not that of the upload.
	s.put(t, "renamed", []byte("AS IT WAS UPLOADED"))
	if err := c.Rename("renamed", "again"); err != nil {
		t.Fatal(err)
	}
	s.noReceipt(t, user, "again", no)

	// Who opens a file and writes nothing has uploaded nothing.
	bob, err := s.connectAs("ada")
	if err != nil {
		t.Fatal(err)
	}
	defer bob.close()
	before := s.receipt(t, user, "looked-at")
	f, err := bob.OpenFile("looked-at", os.O_WRONLY)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if after := s.receipt(t, user, "looked-at"); after.text != before.text {
		t.Errorf("the receipt was %s, and is %s", before.text, after.text)
	}

	// An upload whose bytes came out of order has no digest: the file tells it, as long
	// as that is the same.
	g, err := c.Create("disorder")
	if err == nil {
		_, err = g.WriteAt([]byte("uploaded"), 10)
		_, second := g.WriteAt([]byte("as it was "), 0)
		err = errors.Join(err, second, g.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.receipt(t, user, "disorder").is(t, user, "disorder", content)
	if err := os.Remove(filepath.Join(s.library, "disorder")); err != nil {
		t.Fatal(err)
	}
	s.noReceipt(t, user, "disorder", `audit_sha256 = "always"`)
}

// TestReceiptsLast asks for receipts of files that were uploaded before the log was
// rotated, before the server was started anew, and before the host key was changed.
func TestReceiptsLast(t *testing.T) {
	oneServer(t, "receipts, which the server gives that took the upload")
	t.Parallel()
	dir := t.TempDir()
	s := serveReceipts(t, dir, withReceipts)
	content := []byte("to be kept")
	up := func(name string) {
		t.Helper()
		c := s.dial(t)
		if err := c.upload(name, content); err != nil {
			t.Fatal(err)
		}
		c.close()
	}
	up("first")
	old := s.receipt(t, user, "first")
	log := filepath.Join(dir, "log", "audit.jsonl")
	rename := func(to string) {
		t.Helper()
		if err := os.Rename(log, log+to); err != nil {
			t.Fatal(err)
		}
		s.reload(t, "was reloaded")
	}
	rename(".1")
	up("second")
	for _, name := range []string{"first", "second"} {
		s.receipt(t, user, name).is(t, user, name, content)
	}
	if err := os.Rename(log+".1", log+".2"); err != nil {
		t.Fatal(err)
	}
	rename(".1")
	up("third")
	for _, name := range []string{"first", "second", "third"} {
		s.receipt(t, user, name).is(t, user, name, content)
	}
	known := s.knownHosts(t)
	for _, args := range [][]string{{"new", "ed25519"}, {"rotate"}} {
		succeed(t, exec.Command("shelfd", append(append([]string{"hostkey"}, args...), "--state", s.state)...))
	}
	os.Remove(filepath.Join(dir, "known_hosts")) // of ssh
	s.reload(t, "was reloaded")
	now := s.receipt(t, user, "first")
	if now.text != old.text {
		t.Errorf("the receipt was %s, and is %s", old.text, now.text)
	}
	if err := now.verify(known); err == nil {
		t.Error("a receipt of now is signed with the key of before")
	}
	for what, k := range map[string]kept{"of before": old, "of now": now} {
		if err := k.verify(s.knownHosts(t)); err != nil {
			t.Errorf("the receipt %s: %v", what, err)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = serveReceipts(t, dir, withReceipts)
	for _, name := range []string{"first", "second", "third"} {
		s.receipt(t, user, name).is(t, user, name, content)
	}
	// Nothing can be said of what was in files that are gone.
	if err := os.Remove(log + ".2"); err != nil {
		t.Fatal(err)
	}
	s.noReceipt(t, user, "first", "the audit log that is searched has no line of the upload of this file")
	s.receipt(t, user, "second").is(t, user, "second", content)
}

// TestNoReceiptsWithoutAuditLog says what to set.
func TestNoReceiptsWithoutAuditLog(t *testing.T) {
	t.Parallel()
	need(t, "ssh")
	s := serve(t)
	s.put(t, "file", nil)
	s.noReceipt(t, user, "file", "its operator can set audit_log")
	for line, says := range map[string]string{
		"receipt": "name one file", "receipt a b": "name one file", "receipt --all a": "the flag \"--all\" is not supported here",
	} {
		if _, said, err := s.ssh(user, line); err == nil || !strings.Contains(said, says) {
			t.Errorf("%s: %v: %s", line, err, said)
		}
	}
}
