package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"shelf/tests/objectstore"
)

// retained has libraries in a bucket: one for all, one that is held, and one for each
// account. Each comes with more settings.
func retained(url, more string) string {
	text := "audit_log = \"audit.jsonl\"\n"
	for name, prefix := range map[string]string{"in": "/in", "held": "/held", "partners": "/partners/%u/in"} {
		library := strings.Replace(inBucket(url), "libraries.default", "libraries."+name, 1)
		text += strings.Replace(library, objectstore.Bucket+"\"", objectstore.Bucket+prefix+"\"", 1) + more
		if name == "held" {
			text += "hold = true\n"
		}
	}
	return text + `
[accounts.ada]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["admin"]
[accounts.bob]
authorized_keys_file = "id.pub"
library = "in"
permissions = ["editor", "delete"]
[accounts.eve]
authorized_keys_file = "id.pub"
library = "partners"
permissions = ["admin"]
`
}

// serveRetained is a server of its own, with its own state and audit log.
func serveRetained(t *testing.T, toml string) *server {
	t.Helper()
	dir := t.TempDir()
	if _, err := objectstore.WriteCredentials(dir); err != nil {
		t.Fatal(err)
	}
	s := serveVersions(t, dir, toml)
	stopAtEnd(t, s)
	return s
}

// TestExpiryInABucket: files go when they are old enough, on whichever of two servers, with
// one event each; those of accounts that are not there, too, and those that other programs
// have put there. What is held stays, and what is replaced begins anew.
func TestExpiryInABucket(t *testing.T) {
	t.Parallel()
	need(t, objectstore.Program)
	folder := t.TempDir()
	inBucket := func(path string) string { return filepath.Join(folder, objectstore.Bucket, path) }
	gone := func(path string) bool {
		_, err := os.Stat(inBucket(path))
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, path := range []string{"partners/eve/in/theirs", "held/stays"} {
		must(t, os.MkdirAll(filepath.Dir(inBucket(path)), 0o700))
		must(t, os.WriteFile(inBucket(path), []byte("text"), 0o600))
	}
	store, err := objectstore.Start(folder, "")
	must(t, err)
	t.Cleanup(store.Stop)
	proxy, err := objectstore.NewProxy(store.URL)
	must(t, err)
	t.Cleanup(proxy.Close)
	var probed atomic.Int32
	proxy.SpoilBy(func(r *http.Request) objectstore.Fault {
		if strings.Contains(r.URL.Path, "/eve/in/.shelf/probe/") {
			probed.Add(1)
		}
		return objectstore.None
	})
	toml := retained(proxy.URL, "expire_after = \"4s\"\n")
	nodes := []*server{serveRetained(t, toml), serveRetained(t, toml)}
	c := nodes[0].dial(t)
	must(t, c.upload("old", []byte("old")))
	for n := 0; !gone("in/old") || !gone("partners/eve/in/theirs"); n++ {
		must(t, c.upload("busy", fmt.Appendf(nil, "%d", n)))
		if gone("in/busy") {
			t.Fatal("a file is gone that was replaced just now")
		}
	}
	if gone("held/stays") {
		t.Error("a held file is gone")
	}
	if gone("in/.shelf/expiry") {
		t.Error("the servers do not take turns")
	}
	if n := probed.Load(); n > 0 {
		t.Errorf("with %d calls it was found out for an account what the store does", n)
	}
	logs := func() (all string) {
		for _, s := range nodes {
			text, _ := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
			all += string(text)
		}
		return all
	}
	for _, want := range []string{
		`"op":"expire","result":"ok","library":"in","name":"old","replaced":{"size":3`,
		`"op":"expire","result":"ok","account":"eve","library":"partners","name":"theirs"`,
	} {
		eventually(t, "it has its line", func() bool { return strings.Contains(logs(), want) })
		if n := strings.Count(logs(), want); n != 1 {
			t.Errorf("the audit logs have %d times %s\n%s", n, want, logs())
		}
	}
	schema, _, _ := schemaOf(t)
	for line := range strings.Lines(logs()) {
		var event any
		if err := json.Unmarshal([]byte(line), &event); err != nil || schema.Validate(event) != nil {
			t.Errorf("%v: %s", schema.Validate(event), line)
		}
	}
}

// TestOldVersionsComeBackInABucket: an overwritten and a removed file come back byte for byte
// by stock ssh, and by shelf, for who may restore, small ones and large ones; and nobody else
// sees them. A bucket that keeps no versions is not served so, and "check" says what to do.
func TestOldVersionsComeBackInABucket(t *testing.T) {
	t.Parallel()
	need(t, objectstore.Program)
	need(t, "sftp")
	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, objectstore.Bucket), 0o700))
	store, err := objectstore.Start(folder, t.TempDir())
	must(t, err)
	t.Cleanup(store.Stop)
	toml := retained(store.URL, "keep_versions = 3\nallow_degraded = [\"put-if-absent-after-delete\"]\n")
	dir := t.TempDir()
	must(t, second(objectstore.WriteCredentials(dir)))
	s := serveVersions(t, dir, toml)
	eventually(t, "it is not served without versioning", func() bool {
		return strings.Contains(s.stderr.String(), "needs a bucket that keeps versions")
	})
	out, err := exec.Command("shelfd", "check", "--config", filepath.Join(dir, "shelfd.toml")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "put-bucket-versioning --bucket "+objectstore.Bucket) {
		t.Errorf("check: %v\n%s", err, out)
	}
	must(t, s.stop())
	must(t, store.KeepVersions(t.Context()))
	s = serveVersions(t, dir, toml)
	stopAtEnd(t, s)

	large, small := content(1, 9<<20), content(2, 100_000)
	now := func() []byte { return slurp(t, filepath.Join(folder, objectstore.Bucket, "in", "report.pdf")) }
	ids := s.overwrittenComesBack(t, large, small, now)
	succeed(t, shelfCommand(s, "restore", "report.pdf", ids[0]))
	if !bytes.Equal(now(), small) {
		t.Error("the removed file is not back")
	}
	ids = s.versionsOf(t, "report.pdf")
	s.refusesVersions(t, ids[0], map[string]string{
		"versions absent": "no such file, and no old version", "versions .shelf": "no such file",
		"restore report.pdf 01KAZ5V6S7JMR3C1YV0K8T2WQD": "no such version", "restore report.pdf null": "no such version",
		"restore report.pdf ../report.pdf/" + ids[0]: "no such version", "restore other " + ids[0]: "no such version",
	})
	log := readText(t, filepath.Join(s.dir, "audit.jsonl"))
	for _, want := range []string{`"op":"restore","result":"ok"`, `"restored":"` + ids[0] + `"`, `"op":"versions","result":"refused"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log does not have %s", want)
		}
	}
}

// TestVersionsOfAccountsInABucket: in the libraries of accounts that are not there versions go
// when there are too many, too.
func TestVersionsOfAccountsInABucket(t *testing.T) {
	t.Parallel()
	need(t, objectstore.Program)
	folder, versions := t.TempDir(), t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, objectstore.Bucket), 0o700))
	store, err := objectstore.Start(folder, versions)
	must(t, err)
	t.Cleanup(store.Stop)
	must(t, store.KeepVersions(t.Context()))
	for _, text := range []string{"one", "two", "three"} {
		must(t, store.Put(t.Context(), "partners/eve/in/f", text))
	}
	kept := func() (texts []string) {
		filepath.WalkDir(filepath.Join(versions, objectstore.Bucket), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				text, _ := os.ReadFile(path)
				texts = append(texts, string(text))
			}
			return nil
		})
		slices.Sort(texts)
		return texts
	}
	if got := kept(); !slices.Equal(got, []string{"one", "two"}) {
		t.Fatalf("the store keeps %q", got)
	}
	serveRetained(t, retained(store.URL, "keep_versions = 1\nallow_degraded = [\"put-if-absent-after-delete\"]\n"))
	eventually(t, "only the newest is kept", func() bool {
		got := kept()
		return slices.Contains(got, "two") && !slices.Contains(got, "one")
	})
}
