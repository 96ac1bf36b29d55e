package tests

import (
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/crypto/ssh"
)

// schemaOf compiles docs/audit.schema.json.
func schemaOf(t *testing.T) (s *jsonschema.Schema, fields, ops map[string]bool) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(top + "/docs/audit.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	fields, ops = make(map[string]bool), make(map[string]bool)
	for field := range s.Properties {
		fields[field] = true
	}
	for _, op := range s.Properties["op"].Enum.Values {
		ops[op.(string)] = true
	}
	return s, fields, ops
}

// TestAuditIsDocumented compares the tables of docs/audit.md with the schema.
func TestAuditIsDocumented(t *testing.T) {
	_, fields, ops := schemaOf(t)
	text := readText(t, top+"/docs/audit.md")
	for title, of := range map[string]map[string]bool{"field | kind": fields, "`op` | is": ops} {
		if documented := firstColumn(text, title); !maps.Equal(of, documented) {
			t.Errorf("the schema has %v, and the document %v", slices.Sorted(maps.Keys(of)), slices.Sorted(maps.Keys(documented)))
		}
	}
}

// TestAuditKeepsToItsSchema has each event happen that a client can cause, in a log
// of many small files, and holds each line against the schema.
func TestAuditKeepsToItsSchema(t *testing.T) {
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca")
	if err := errors.Join(makeKey(authority), os.Mkdir(filepath.Join(dir, "log"), 0o700)); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, dir, `
audit_log = "log/audit"
audit_max_size = "16KiB"
trusted_user_ca_keys = "ca.pub"
[libraries.in]
path = "library"
[accounts.ada]
library = "in"
permissions = ["admin"]
`)
	if c, err := s.connectAs("nobody"); err == nil {
		c.close()
		t.Error("nobody is let in")
	}
	c := s.dialCertified(t, authority, ssh.CertTimeInfinity)
	everyEvent(t, c)
	c.close()
	all := func() (files []string, text string) {
		files, _ = filepath.Glob(filepath.Join(dir, "log", "audit.*"))
		files = append(files, filepath.Join(dir, "log", "audit"))
		for _, file := range files {
			text += readText(t, file)
		}
		return files, text
	}
	eventually(t, "the logout is written", func() bool { _, text := all(); return strings.Contains(text, `"logout"`) })
	s.reload(t, "the configuration was reloaded")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}

	files, text := all()
	if out, err := exec.Command("shelfd", append([]string{"audit", "verify", "--state", s.state}, files...)...).CombinedOutput(); err != nil || len(files) < 3 {
		t.Errorf("verify of %d files: %v\n%s", len(files), err, out)
	}
	schema, _, ops := schemaOf(t)
	missing := map[string]bool{"replaced": true, "new": true, "cert": true, "sha256": true, "operator": true, "omitted": true, "set": true}
	// What takes an operator or a fault is tested where that is.
	for _, op := range []string{"revoked", "expired", "removed", "kicked", "kick", "unban", "drain", "discard", "lost", "recovered", "expire", "hold"} {
		delete(ops, op)
	}
	for line := range strings.Lines(text) {
		event, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = schema.Validate(event)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		delete(ops, event.(map[string]any)["op"].(string))
		if strings.Contains(line, `"op":"put","result":"ok"`) && !strings.Contains(line, `"sha256"`) {
			t.Errorf("an upload has no digest: %s", line)
		}
		if strings.Contains(line, `"op":"remove","result":"ok"`) && !strings.Contains(line, `"replaced":{"size":4,"sha256":"`) {
			t.Errorf("it is not told what was removed: %s", line)
		}
		for field := range event.(map[string]any) {
			delete(missing, field)
		}
	}
	if !strings.Contains(text, `"set":{"mtime":"1970-01-01T00:00:01Z"}`) {
		t.Error("the log does not tell what was set")
	}
	if len(ops) > 0 || len(missing) > 0 {
		t.Errorf("there is no line of %v, and none with %v", ops, missing)
	}
}

// dialCertified logs in with a certificate that is good until a time of Unix.
func (s *server) dialCertified(t *testing.T, authority string, until uint64) *client {
	t.Helper()
	key, err := readIdentity(s.identity)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := readIdentity(authority)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, KeyId: "ada's laptop", Serial: 7, ValidPrincipals: []string{user}, ValidBefore: until}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	if key, err = ssh.NewCertSigner(cert, key); err != nil {
		t.Fatal(err)
	}
	all, err := ssh.Dial("tcp", s.addr, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	files, err := sftp.NewClient(all)
	if err != nil {
		t.Fatal(err)
	}
	return &client{Client: files, ssh: all}
}

// everyEvent does what makes an event, or is refused.
func everyEvent(t *testing.T, c *client) {
	t.Helper()
	for range 2 { // the second replaces the first
		if err := c.upload("file", []byte("text")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.ReadDir("/")
	if err == nil {
		err = c.Chtimes("file", time.Unix(1, 0), time.Unix(1, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Open("file")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, r := range []struct{ kind, text string }{
		{"exec", "sha256sum file"}, {"exec", "receipt file"}, {"exec", "versions file"}, {"exec", "restore file none"}, {"exec", "rm file"}, {"subsystem", "netconf"}, {"x11-req", ""}, {"pty-req", ""}, {"shell", ""},
	} {
		channel, requests, err := c.ssh.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(requests)
		payload := ssh.Marshal(struct{ Text string }{r.text})
		switch r.kind {
		case "pty-req":
			payload = ssh.Marshal(struct {
				Term       string
				A, B, C, D uint32
				Modes      string
			}{Term: "\x1b[2J"})
		case "shell":
			payload = nil
		}
		ok, err := channel.SendRequest(r.kind, true, payload)
		if err != nil {
			t.Fatal(err)
		}
		if ok && r.kind != "pty-req" {
			io.Copy(io.Discard, channel)
		}
		channel.Close()
	}
	c.ssh.OpenChannel("direct-tcpip", nil)
	c.Mkdir("d")
	c.RemoveDirectory("d")
	c.Symlink("a", "b")
	c.ReadLink("a")
	if err := errors.Join(c.Rename("file", "other"), c.Remove("other")); err != nil {
		t.Fatal(err)
	}
	for range 100 { // more than are recorded
		c.Mkdir("d")
	}
}

// firstColumn are the names in the first column of the table with a title.
func firstColumn(text, title string) map[string]bool {
	names := make(map[string]bool)
	_, table, _ := strings.Cut(text, "\n| "+title+" |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)[ `]").FindAllStringSubmatch(table, -1) {
		names[m[1]] = true
	}
	return names
}
