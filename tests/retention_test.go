package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// withVersions keeps some, and gives one account alone what it takes to see them.
const withVersions = `
audit_log = "audit.jsonl"
[libraries.in]
path = "library"
keep_versions = 3
quota = "8MiB"
[accounts.ada]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["admin"]
[accounts.bob]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["editor", "delete"]
`

func serveVersions(t *testing.T, dir, toml string) *server {
	t.Helper()
	need(t, "ssh")
	return mustStart(t, dir, toml)
}

// mustSSH runs a command line as ada.
func (s *server) mustSSH(t *testing.T, line string) string {
	t.Helper()
	out, said, err := s.ssh(user, line)
	if err != nil {
		t.Fatalf("ssh %s: %v\n%s", line, err, said)
	}
	return out
}

// versionsOf is what ssh prints of the versions of a file, the oldest first.
func (s *server) versionsOf(t *testing.T, name string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(s.mustSSH(t, "versions "+name)) {
		id, _, _ := strings.Cut(line, "\t")
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	return ids
}

// overwrittenComesBack puts a file and another over it, restores the first and removes that.
// now is what the file has. It returns the ids of both versions, the oldest first.
func (s *server) overwrittenComesBack(t *testing.T, first, second []byte, now func() []byte) (ids []string) {
	t.Helper()
	local := filepath.Join(t.TempDir(), "report, final.pdf")
	for _, content := range [][]byte{first, second} {
		must(t, os.WriteFile(local, content, 0o600))
		succeed(t, sftpBatch(s, fmt.Sprintf("put -p %q report.pdf\n", local)))
	}
	if ids = s.versionsOf(t, "report.pdf"); len(ids) != 1 {
		t.Fatalf("versions are %q", ids)
	}
	if out := s.mustSSH(t, "restore report.pdf "+ids[0]); out != "" {
		t.Errorf("restore prints %q", out)
	}
	if !bytes.Equal(now(), first) {
		t.Error("the overwritten file is not back")
	}
	succeed(t, sftpBatch(s, "rm report.pdf\n"))
	if ids = s.versionsOf(t, "report.pdf"); len(ids) != 2 {
		t.Fatalf("versions are %q", ids)
	}
	return ids
}

// refusesVersions has bob, who may not, ask for a version; and ada give these lines, which
// are refused with a reason each.
func (s *server) refusesVersions(t *testing.T, id string, lines map[string]string) {
	t.Helper()
	for _, line := range []string{"versions report.pdf", "restore report.pdf " + id} {
		if out, said, err := s.ssh("bob", line); err == nil || !strings.Contains(said, "may not see or restore old versions") {
			t.Errorf("bob does %s: %v\n%s%s", line, err, out, said)
		}
	}
	for line, want := range lines {
		if out, said, err := s.ssh(user, line); err == nil || !strings.Contains(said, want) {
			t.Errorf("%s: %v\n%s%s", line, err, out, said)
		}
	}
}

// TestOldVersionsComeBack: an overwritten and a removed file come back byte for byte by
// stock ssh, and by shelf, for who may restore; and nobody else sees them.
func TestOldVersionsComeBack(t *testing.T) {
	need(t, "sftp")
	t.Parallel()
	s := serveVersions(t, t.TempDir(), withVersions)
	stopAtEnd(t, s)
	first := content(1, 300_001)
	ids := s.overwrittenComesBack(t, first, content(2, 100_000), func() []byte { return s.get(t, "report.pdf") })
	out, err := shelfCommand(s, "versions", "report.pdf").Output()
	if err != nil || !strings.Contains(string(out), ids[0]) || !strings.Contains(string(out), "293.0 KiB") {
		t.Errorf("shelf versions: %v\n%s", err, out)
	}
	out, err = shelfCommand(s, "versions", "--json", "report.pdf").Output()
	newest := struct {
		Event, Version string
		Size           int
	}{}
	if json.Unmarshal(bytes.SplitN(out, []byte("\n"), 2)[0], &newest) != nil || newest.Version != ids[1] || newest.Size != len(first) || err != nil {
		t.Errorf("shelf --json versions: %v\n%s", err, out)
	}
	succeed(t, shelfCommand(s, "restore", "report.pdf", newest.Version))
	if !bytes.Equal(s.get(t, "report.pdf"), first) {
		t.Error("the removed file is not back")
	}

	s.refusesVersions(t, ids[0], map[string]string{
		"versions absent": "no such file, and no old version", "restore report.pdf 20200101T000000.000000Z": "no such version",
		"restore report.pdf": "name a file and one of its versions", "versions": "name one file", "versions -l x": "not supported",
		"restore report.pdf ../report.pdf/" + ids[0]: "no such version", "versions .shelf": "no such file",
	})
	err = shelfCommand(s, "restore", "report.pdf", "none").Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("shelf restore of none: %v", err)
	}

	log := readText(t, filepath.Join(s.dir, "audit.jsonl"))
	for _, want := range []string{`"op":"restore","result":"ok"`, `"restored":"` + newest.Version + `"`, `"op":"versions","result":"refused"`, `"op":"restore","result":"refused"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log does not have %s", want)
		}
	}
}

// TestQuotaWithVersions: a client that overwrites again and again is never refused
// because of what is kept, and all together stays within the quota.
func TestQuotaWithVersions(t *testing.T) {
	t.Parallel()
	s := serveVersions(t, t.TempDir(), strings.Replace(withVersions, "keep_versions = 3", "keep_versions = 100", 1))
	stopAtEnd(t, s)
	c := s.dial(t)
	const quota = 8 << 20
	for n := range 12 {
		if err := c.upload(fmt.Sprintf("f%d", n%2), content(uint64(n), 3<<20)); err != nil {
			t.Fatal(err)
		}
		var all int64
		filepath.WalkDir(s.library, func(path string, e fs.DirEntry, err error) error {
			if i, err := e.Info(); err == nil && i.Mode().IsRegular() && i.Size() > 4096 {
				all += i.Size()
			}
			return nil
		})
		if all > quota {
			t.Fatalf("after %d uploads there are %d bytes", n+1, all)
		}
	}
	if err := c.upload("f3", content(1, 3<<20)); err == nil {
		t.Error("files may take more than the quota")
	}
}

// killPoint is a system call at which the server is killed: before it is done.
type killPoint struct{ call, path, at string }

// TestKilledWhileReplacing kills the server at each step of an upload over a file, a
// removal and a restore that has to do with versions. Afterwards each content is there
// once, whole, published or as a version that can be restored, but for the one that was
// to be published, which may be nowhere.
func TestKilledWhileReplacing(t *testing.T) {
	need(t, "strace")
	need(t, "ssh")
	versions, library := "/.shelf/versions/f", ""
	for what, steps := range map[string][]killPoint{
		"upload": {
			{"linkat", "", "the second name"}, {"mkdirat", "", "the folder of versions"}, {"fsync", versions, "its sync"},
			{"renameat", "", "the rename"}, {"fsync", library, "the sync of the library"}, {"unlinkat", "", "a version too many"},
		},
		"remove":  {{"renameat", "", "the rename"}, {"fsync", versions, "the sync of versions"}, {"fsync", library, "the sync of the library"}, {"unlinkat", "", "a version too many"}},
		"restore": {{"linkat", "", "the second name"}, {"fsync", versions, "its sync"}, {"renameat", "", "the rename"}, {"fsync", library, "the sync of the library"}},
	} {
		for _, p := range steps {
			t.Run(what+" at "+p.at, func(t *testing.T) {
				t.Parallel()
				killWhileReplacing(t, what, p)
			})
		}
	}
}

func killWhileReplacing(t *testing.T, what string, p killPoint) {
	settings := strings.Replace(withVersions, "keep_versions = 3", "keep_versions = 2", 1)
	dir := t.TempDir()
	s := serveVersions(t, dir, settings)
	texts := map[string]string{"first": "", "second": "", "third": "", "new": ""}
	for n, name := range slices.Sorted(maps.Keys(texts)) {
		texts[name] = string(content(uint64(n), int64(50_000+n)))
	}
	before := []string{"first", "second", "third"}
	if p.call == "mkdirat" {
		before = []string{"third"}
	}
	if p.call != "unlinkat" && what != "restore" {
		before = before[len(before)-min(2, len(before)):] // so that nothing is to go
	}
	must := before[max(0, len(before)-2):] // what must be there afterwards
	c := s.dial(t)
	for _, name := range before {
		if err := c.upload("f", []byte(texts[name])); err != nil {
			t.Fatal(err)
		}
	}
	ids := s.versionsOf(t, "f")
	args := []string{"-e", "trace=" + p.call, "-e", "inject=" + p.call + ":signal=KILL"}
	if p.call == "fsync" {
		args = append(args, "-P", s.library+p.path)
	}
	end := s.strace(t, args...)
	var err error
	switch what {
	case "upload":
		err = c.upload("f", []byte(texts["new"]))
	case "remove":
		err = c.Remove("f")
	case "restore":
		_, _, err = s.ssh(user, "restore f "+ids[len(ids)-1])
	}
	if err == nil {
		t.Fatal("the server was not killed")
	}
	<-s.exited
	end()
	c.close()

	s = serveVersions(t, dir, settings)
	stopAtEnd(t, s)
	name := make(map[string]string)
	for n, text := range texts {
		name[text] = n
	}
	found := make(map[string]int)
	if b, err := os.ReadFile(filepath.Join(s.library, "f")); err == nil {
		found[name[string(b)]]++
	}
	ids = s.versionsIfAny(t, "f")
	for _, id := range ids {
		if b, err := os.ReadFile(filepath.Join(s.library, ".shelf", "versions", "f", id)); err == nil {
			found[name[string(b)]]++
		}
	}
	for n, times := range found {
		if n == "" || times != 1 {
			t.Errorf("content %q is there %d times: %v", n, times, found)
		}
	}
	for _, n := range must {
		if found[n] != 1 && (p.call != "unlinkat" || n != must[0]) {
			t.Errorf("%s is lost: %v", n, found)
		}
	}
	eventually(t, "what is no version, or one too many, is swept", func() bool {
		left, _ := os.ReadDir(filepath.Join(s.library, ".shelf", "versions", "f"))
		ids = s.versionsIfAny(t, "f")
		return len(left) == len(ids) && len(ids) <= 2
	})
	for _, id := range ids {
		b, err := os.ReadFile(filepath.Join(s.library, ".shelf", "versions", "f", id))
		if err != nil {
			t.Fatal(err)
		}
		s.mustSSH(t, "restore f "+id)
		if !bytes.Equal(s.get(t, "f"), b) {
			t.Errorf("%s is not back", name[string(b)])
		}
	}
	if err := s.dial(t).upload("f", []byte(texts["new"])); err != nil {
		t.Error(err)
	}
}

// versionsIfAny is versionsOf, where there may be neither file nor version.
func (s *server) versionsIfAny(t *testing.T, name string) []string {
	t.Helper()
	if _, said, err := s.ssh(user, "versions "+name); err != nil && strings.Contains(said, "no such file") {
		return nil
	}
	return s.versionsOf(t, name)
}

// TestExpiry: files go when they have been there for as long as is set, whatever times
// a client has given them, and each has its event. Those of accounts that are not there
// go, too; what is held stays, and what is replaced begins anew.
func TestExpiry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"partners/eve/in", "held", "library"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"partners/eve/in/theirs", "held/stays"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serveVersions(t, dir, `
audit_log = "audit.jsonl"
expire_after = "3s"
keep_versions = 2
[libraries.in]
path = "library"
[libraries.partners]
path = "partners/%u/in"
[libraries.held]
path = "held"
hold = true
[accounts.ada]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["admin"]
[accounts.eve]
authorized_keys_file = "id.pub"
library = "partners"
`)
	stopAtEnd(t, s)
	c := s.dial(t)
	if err := c.upload("old", []byte("old")); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(1000 * time.Hour)
	if err := c.Chtimes("old", future, future); err != nil {
		t.Fatal(err)
	}
	gone := func(path string) bool {
		_, err := os.Stat(filepath.Join(dir, path))
		return errors.Is(err, fs.ErrNotExist)
	}
	for !gone("library/old") || !gone("partners/eve/in/theirs") {
		written := time.Now()
		if err := c.upload("busy", []byte("text")); err != nil {
			t.Fatal(err)
		}
		if gone("library/busy") && time.Since(written) < time.Second {
			t.Fatal("a file is gone that was replaced just now")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if gone("held/stays") {
		t.Error("a held file is gone")
	}
	id := s.versionsOf(t, "old")
	if len(id) != 1 {
		t.Fatalf("versions are %q", id)
	}
	s.mustSSH(t, "restore old "+id[0])
	if string(s.get(t, "old")) != "old" {
		t.Error("what has expired is not back")
	}
	log := s.auditLog(t, "audit.jsonl") // a file expires once
	for _, want := range []string{
		`"op":"expire","result":"ok","library":"in","name":"old","replaced":{"size":3`,
		`"op":"expire","result":"ok","account":"eve","library":"partners","name":"theirs"`,
	} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the audit log has %d times %s", strings.Count(log, want), want)
		}
	}
	schema, _, _ := schemaOf(t)
	for line := range strings.Lines(log) {
		var event any
		if err := json.Unmarshal([]byte(line), &event); err != nil || schema.Validate(event) != nil {
			t.Errorf("%v: %s", schema.Validate(event), line)
		}
	}
}

// TestHoldAgainstStockClients: with a hold the programs that people have change and
// remove nothing, whatever they try, and read why; new files come by all of them.
func TestHoldAgainstStockClients(t *testing.T) {
	for _, p := range []string{"sftp", "scp", "ssh"} {
		need(t, p)
	}
	t.Parallel()
	dir := t.TempDir()
	s := serveVersions(t, dir, withVersions)
	c := s.dial(t)
	kept := content(1, 100_000)
	for _, text := range []string{"an old version", string(kept)} {
		if err := c.upload("kept", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	id := s.versionsOf(t, "kept")[0]
	c.close()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = serveVersions(t, dir, strings.Replace(withVersions, "keep_versions = 3", `hold = "2100-01-01"`, 1))
	stopAtEnd(t, s)
	local := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(local, content(9, 150_000), 0o600); err != nil {
		t.Fatal(err)
	}
	look := func() string {
		i, err := os.Stat(filepath.Join(s.library, "kept"))
		if err != nil || !bytes.Equal(s.get(t, "kept"), kept) {
			t.Fatalf("it is not what it was: %v", err)
		}
		return fmt.Sprint(i.Mode(), i.ModTime(), i.Size())
	}
	before := look()
	scp := func(flags ...string) *exec.Cmd {
		return exec.Command("scp", append(append([]string{"-F", s.config}, flags...), local, "shelf:kept")...)
	}
	for what, cmd := range map[string]*exec.Cmd{
		"put":     sftpBatch(s, fmt.Sprintf("put %q kept\n", local)),
		"reput":   sftpBatch(s, fmt.Sprintf("reput %q kept\n", local)),
		"put -p":  sftpBatch(s, fmt.Sprintf("put -p %q kept\n", local)),
		"rm":      sftpBatch(s, "rm kept\n"),
		"rename":  sftpBatch(s, "rename kept other\n"),
		"over":    sftpBatch(s, fmt.Sprintf("put %q mine\nrename mine kept\n", local)),
		"chmod":   sftpBatch(s, "chmod 777 kept\n"),
		"scp":     scp("-s"),
		"scp -O":  scp("-O"),
		"restore": exec.Command("ssh", "-F", s.config, "shelf", "restore kept "+id),
		"shelf":   shelfCommand(s, "put", local, "as", "kept"),
	} {
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "the library is held") {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		if now := look(); now != before {
			t.Errorf("%s: it was %s and is %s", what, before, now)
		}
	}
	// Requests that these do not send: another size by handle and by name, and a rename
	// that replaces, as WinSCP and sshfs do.
	c = s.dial(t)
	for what, err := range map[string]error{
		"truncate": c.Truncate("kept", 1), "open to write": second(c.OpenFile("kept", os.O_WRONLY)), "open for both": second(c.OpenFile("kept", os.O_RDWR)),
		"append": second(c.OpenFile("kept", os.O_WRONLY|os.O_APPEND)), "posix-rename": c.PosixRename("mine", "kept"), "chtimes": c.Chtimes("kept", time.Now(), time.Now()),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := look(); now != before {
		t.Errorf("it was %s and is %s", before, now)
	}
	succeed(t, sftpBatch(s, fmt.Sprintf("put -p %q more\n", local)))
	succeed(t, exec.Command("scp", "-F", s.config, local, "shelf:more2"))
	succeed(t, shelfCommand(s, "put", local, "as", "more3"))
	s.mustSSH(t, "versions kept")
}
