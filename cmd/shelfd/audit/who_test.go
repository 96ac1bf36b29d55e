package audit_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"shelf/cmd/shelfd/audit"
	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs"
)

// ask runs shelfd audit.
func ask(args ...string) (out, notes string, err error) {
	var stdout, stderr bytes.Buffer
	c := audit.Command()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	err = c.Execute()
	return stdout.String(), stderr.String(), err
}

func TestWho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	size := func(n int64) *vfs.Content { return &vfs.Content{Size: n, SHA256: make([]byte, 32)} }
	for _, e := range []sshd.Event{
		{Op: "login", Conn: "AAAAAAAA", Account: "ada", Source: "192.0.2.7:5", Method: "publickey", KeyFingerprint: "SHA256:+abc",
			Certificate: &keys.Certificate{KeyID: "laptop", Serial: 7, CA: "SHA256:ca"}},
		{Op: "put", Conn: "AAAAAAAA", Account: "ada", Source: "192.0.2.7:5", Library: "in", Name: "invoice.pdf.part", File: size(5), New: true, KeyFingerprint: "SHA256:+abc"},
		{Op: "rename", Conn: "AAAAAAAA", Account: "ada", Source: "192.0.2.7:5", Library: "in", Name: "invoice.pdf.part", Target: "invoice.pdf", File: size(5), Replaced: size(4)},
		{Op: "remove", Conn: "BBBBBBBB", Account: "bob", Source: "[2001:db8::1]:6", Library: "out", Name: "report.txt", Err: errors.New("no")},
		{Op: "kick", Operator: "root", Account: "bob", Note: "\x1b[2J"},
	} {
		if err := l.Report(e); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	for args, want := range map[string]string{
		"":                              "login put rename remove kick",
		"--account bob":                 "remove kick",
		"--name invoice.pdf":            "rename",
		"--name invoice*":               "put rename",
		"--name *.txt":                  "remove",
		"--library in":                  "put rename",
		"--key SHA256:+ab":              "login put",
		"--key +abc":                    "login put",
		"--key laptop":                  "login",
		"--source 192.0.2.0/24":         "login put rename",
		"--source 2001:db8::1":          "remove",
		"--conn BBBBBBBB":               "remove",
		"--op put,kick":                 "put kick",
		"--result refused,failed":       "remove",
		"--since 1h":                    "login put rename remove kick",
		"--until 2001-01-01":            "",
		"--since 2001-01-01 --until 1h": "",
		"--account nobody":              "",
	} {
		fields := strings.Fields(args)
		out, notes, err := ask(append([]string{"who", path, "--json"}, fields...)...)
		var got []string
		for line := range strings.Lines(out) {
			var l audit.Line
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			got = append(got, l.Op)
		}
		if strings.Join(got, " ") != want || (err != nil) != (want == "") || notes != "" {
			t.Errorf("%s: %v, want %s; %s %v", args, got, want, notes, err)
		}
	}
	for _, args := range [][]string{{"who"}, {"who", path, "--since", "soon"}, {"who", path, "--source", "home"}, {"who", path, "--name", "["}, {"who", path + "x"}} {
		if _, _, err := ask(args...); err == nil {
			t.Errorf("%q is fine", args)
		}
	}
	out, _, err := ask("who", path)
	for _, want := range []string{"in/invoice.pdf.part -> invoice.pdf", "replaced 4 bytes", "sha256 000000000000", "certificate laptop serial 7", `\x1b[2J`, "root"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s (%v)", want, out, err)
		}
	}
}

// Files are put in order, unpacked, and what is no line of ours is passed over: it
// cannot steer the terminal either.
func TestWhoReadsOldFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	l.Report(put("one"))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(text)
	w.Write([]byte("not ours\n\n{}\n" + `{"time":"2026-01-01T00:00:00.000Z","op":"put","name":"\u001b[2J\u202e"}` + "\n"))
	w.Close()
	if err := errors.Join(os.Rename(path, path+".1"), l.Reopen(), os.WriteFile(path+".1.gz", packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	l.Report(put("two"))
	l.Close()
	out, notes, err := ask("who", path, path+".1.gz")
	if err != nil || strings.Index(out, "one") > strings.Index(out, "two") || strings.Count(notes, "this is no line") != 2 {
		t.Errorf("%v\n%s\n%s", err, out, notes)
	}
	for _, line := range strings.Split(out, "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", line)
		}
	}
}
