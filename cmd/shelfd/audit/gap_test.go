package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shelf/cmd/shelfd/audit"
	"shelf/sshd"
	"shelf/vfs"
)

// What a log that ends in a crash lacks is what it does not tell of, and not what it
// only tells was read.
func TestGap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	if g, err := audit.FindGap(path); g != nil || err != nil {
		t.Fatalf("a log that is not there: %v %v", g, err)
	}
	l := open(t, path, audit.Rules{})
	defer l.Close()
	versions := make(map[string]string) // by name
	tell := func(op, account, name, target string, err error) {
		content := &vfs.Content{Size: 1, Version: vfs.VersionOf(op + name + target)}
		l.Report(sshd.Event{Op: op, Conn: "YQ3MUDMH", Account: account, Library: "in", Name: name, Target: target, New: true, File: content, Err: err})
		if target != "" {
			name = target
		}
		versions[name] = content.Version.String()
	}
	l.Report(audit.ByServer(audit.OpStart, "", nil))
	tell("put", "ada", "put", "", nil)
	tell("rename", "ada", "old", "renamed", nil)
	if err := errors.Join(os.Rename(path, path+".1"), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	tell("setstat", "bob", "set", "", nil)
	tell("restore", "bob", "restored", "", nil)
	l.Recovered("in", "eve", vfs.Info{Name: "recovered", Version: vfs.VersionOf("r")})
	versions["recovered"] = vfs.VersionOf("r").String()
	tell("get", "bob", "read", "", nil)
	tell("put", "bob", "failed", "", errors.New("full"))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"time":"2026-`) // the server is killed
	f.Close()
	for written := time.Now(); time.Since(written) < 2*time.Millisecond; { // a line has milliseconds
	}

	g, err := audit.FindGap(path)
	if g == nil || err != nil {
		t.Fatal(g, err)
	}
	now := g.Until
	for name, lacks := range map[string]bool{"put": false, "renamed": false, "set": false, "restored": false, "recovered": false, "read": true, "failed": true} {
		if g.Lacks("in", "", name, versions[name], now) != lacks {
			t.Errorf("%s: %v", name, !lacks)
		}
		if !g.Lacks("in", "", name, "0000000000000000", now) {
			t.Errorf("%s has another version, and has its line", name)
		}
		// After a boot the version may look another one. The line is younger than the file.
		if g.Lacks("in", "", name, "0000000000000000", g.Since.Add(time.Nanosecond)) != lacks {
			t.Errorf("%s: the line of the name does not count, or too much", name)
		}
	}
	if !g.Lacks("out", "", "put", "0000000000000000", now) || g.Lacks("in", "", "x", "1", g.Since.Add(-1)) || g.Lacks("in", "", "x", "1", now.Add(1)) {
		t.Error("another library, or another time, is not told apart")
	}
	// Of libraries that each account has for itself, the name alone says nothing.
	if at := g.Since.Add(time.Nanosecond); g.Lacks("in", "ada", "put", "0", at) || !g.Lacks("in", "bob", "put", "0", at) {
		t.Error("the accounts are not told apart")
	}
	if got := g.Accounts("in"); len(got) != 3 {
		t.Errorf("accounts: %v", got)
	}
	l.Report(audit.ByServer(audit.OpStop, "", nil))
	l.SetSigner(hostKey(t))
	l.Report(audit.ByServer(audit.OpStop, "", nil))
	l.SetSigner(nil) // a checkpoint
	if g, err := audit.FindGap(path); g != nil || err != nil {
		t.Errorf("after a stop: %v %v", g, err)
	}
}

// A server that was stopped before it had looked leaves the gap to the next one.
func TestGapIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	const before = `{"time":"2026-01-01T10:00:00.000Z","seq":1,"op":"start","result":"ok"}
{"time":"2026-01-01T11:00:00.000Z","seq":2,"op":"put","result":"ok","conn":"YQ3MUDMH","account":"ada","library":"in","name":"a"}
{"time":"2026-01-01T12:00:00.000Z","seq":3,"op":"start","result":"ok"}
{"time":"2026-01-01T15:00:00.000Z","seq":4,"op":"login","result":"ok","conn":"YQ3MUDMX","account":"bob"}
{"time":"2026-01-01T15:00:00.000Z","seq":5,"op":"refusal","result":"refused","conn":"YQ3MUDMX","account":"nobody"}
`
	for stop, since := range map[string]string{`"ok"`: "", `"cut","reason":"not looked"`: "2026-01-01T10:50:00Z"} {
		text := before + `{"time":"2026-01-01T16:00:00.000Z","seq":6,"op":"stop","result":` + stop + "}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := audit.FindGap(path)
		switch {
		case err != nil || (g == nil) != (since == ""):
			t.Errorf("%s: %+v %v", stop, g, err)
		case g != nil && g.Since.Format(time.RFC3339) != since:
			t.Errorf("%s: since %v", stop, g.Since)
		case g != nil && (!slices.Equal(g.Accounts("in"), []string{"ada", "bob"}) || !slices.Equal(g.Accounts("out"), []string{"bob"})):
			t.Errorf("accounts: %v, %v", g.Accounts("in"), g.Accounts("out"))
		}
	}
}
