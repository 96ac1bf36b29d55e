package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/audit"
	"shelf/sshd"
)

func hostKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// aDay makes a log with restarts, kills, rotations and a new host key. It returns
// its files in order, and the file of known hosts.
func aDay(t *testing.T) (dir, known string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "audit")
	first, second := hostKey(t), hostKey(t)
	known = filepath.Join(t.TempDir(), "known_hosts")
	text := "[host]:2222 " + string(ssh.MarshalAuthorizedKey(first.PublicKey())) + "[host]:2222 " + string(ssh.MarshalAuthorizedKey(second.PublicKey()))
	if err := os.WriteFile(known, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(key ssh.Signer) *audit.Log {
		l := open(t, path, audit.Rules{})
		l.SetSigner(key)
		l.Report(sshd.Event{Op: audit.OpStart})
		return l
	}
	work := func(l *audit.Log) {
		for n := range 5 {
			l.Report(put(fmt.Sprint("file", n)))
		}
	}
	l := start(first)
	work(l)
	l.SetSigner(first) // as after a minute
	work(l)
	if err := errors.Join(os.Rename(path, path+".1"), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	work(l)
	l.Close()
	l = start(first)
	work(l)
	l.SetSigner(second) // a new host key
	work(l)
	l.Set(audit.Rules{MaxSize: 1})
	l.Report(put("large")) // begins a new file
	l.Set(audit.Rules{})
	work(l)
	for range 2 { // killed in the middle of a line
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(`{"time":"2026-`)
		f.Close()
		l = start(second)
		work(l)
	}
	for range 2 {
		l.Close()
		l = start(second)
		work(l)
	}
	l.Close()
	return dir, known
}

func verify(dir, known string, more ...string) (out string, err error) {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	out, _, err = ask(append(append([]string{"verify", "--known-hosts", known}, more...), files...)...)
	return out, err
}

func TestVerifyAWholeDay(t *testing.T) {
	dir, known := aDay(t)
	out, err := verify(dir, known, "--at-least", "40")
	if err != nil || strings.Count(out, "SHA256:") != 2 || strings.Contains(out, "Not signed") || strings.Contains(out, "not here") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := verify(dir, known, "--at-least", "1000"); err == nil {
		t.Errorf("lines that were cut off are not missed:\n%s", out)
	}
	// A crash just now is no tampering.
	f, err := os.OpenFile(filepath.Join(dir, "audit"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"time"`)
	f.Close()
	if out, err := verify(dir, known); err != nil || !strings.Contains(out, "not a whole line") {
		t.Errorf("%v\n%s", err, out)
	}
	stranger := filepath.Join(t.TempDir(), "known")
	os.WriteFile(stranger, append([]byte("host "), ssh.MarshalAuthorizedKey(hostKey(t).PublicKey())...), 0o600)
	if out, err := verify(dir, stranger); err == nil {
		t.Errorf("any key will do:\n%s", out)
	}
}

// linked makes the chain of lines fit again, as who has no key can.
func linked(lines []string) []string {
	prev, seq := "", 0
	out := slices.Clone(lines)
	for i, text := range out {
		var l map[string]any
		json.Unmarshal([]byte(text), &l)
		var was struct{ Prev string }
		json.Unmarshal([]byte(text), &was)
		if was.Prev != "" && prev != "" {
			text = strings.Replace(text, was.Prev, prev, 1)
		}
		seq++
		text = strings.Replace(text, fmt.Sprintf(`"seq":%v,`, l["seq"]), fmt.Sprintf(`"seq":%d,`, seq), 1)
		out[i] = text
		sum := sha256.Sum256([]byte(text))
		prev = hex.EncodeToString(sum[:])
	}
	return out
}

// What was done to a log is found.
func TestVerifyFindsTampering(t *testing.T) {
	dir, known := aDay(t)
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	names = audit.InOrder(names)
	var all [][]string // lines of each file
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
	}
	if len(all) != 3 {
		t.Fatalf("%d files", len(all))
	}
	isCheckpoint := func(line string) bool { return strings.Contains(line, `"op":"checkpoint"`) }
	checkpoints := func(lines []string) (where []int) {
		for i, line := range lines {
			if isCheckpoint(line) {
				where = append(where, i)
			}
		}
		return where
	}
	for what, change := range map[string]func([][]string) [][]string{
		"a name changed":   func(f [][]string) [][]string { f[0][2] = strings.Replace(f[0][2], "file", "fill", 1); return f },
		"a result changed": func(f [][]string) [][]string { f[1][3] = strings.Replace(f[1][3], `"ok"`, `"cut"`, 1); return f },
		"a time changed": func(f [][]string) [][]string {
			f[0][3] = strings.Replace(f[0][3], `"time":"2`, `"time":"3`, 1)
			return f
		},
		"a space put in":       func(f [][]string) [][]string { f[0][3] = strings.Replace(f[0][3], `,"op"`, `, "op"`, 1); return f },
		"a line dropped":       func(f [][]string) [][]string { f[0] = slices.Delete(f[0], 3, 4); return f },
		"lines dropped":        func(f [][]string) [][]string { f[1] = slices.Delete(f[1], 3, 6); return f },
		"two lines swapped":    func(f [][]string) [][]string { f[0][2], f[0][3] = f[0][3], f[0][2]; return f },
		"a line put in":        func(f [][]string) [][]string { f[0] = slices.Insert(f[0], 3, f[0][2]); return f },
		"an end cut":           func(f [][]string) [][]string { f[0] = f[0][:len(f[0])-1]; return f },
		"a line cut":           func(f [][]string) [][]string { f[0][4] = f[0][4][:40]; return f },
		"a file missing":       func(f [][]string) [][]string { return [][]string{f[0], f[2]} },
		"a line that is none":  func(f [][]string) [][]string { f[1][2] = "hello"; return f },
		"a checkpoint dropped": func(f [][]string) [][]string { c := checkpoints(f[0])[0]; f[0] = slices.Delete(f[0], c, c+1); return f },
		"a checkpoint again": func(f [][]string) [][]string {
			f[1] = slices.Insert(f[1], 4, f[0][checkpoints(f[0])[0]])
			return f
		},
		"a checkpoint of before in the place of the next": func(f [][]string) [][]string {
			c := checkpoints(f[0])
			f[0][c[1]] = f[0][c[0]]
			return f
		},
		"a signature changed": func(f [][]string) [][]string {
			c := checkpoints(f[0])[0]
			f[0][c] = strings.Replace(f[0][c], `"sig":"U1NIU0lH`, `"sig":"U1NIU0lI`, 1)
			return f
		},
		"changed and linked anew": func(f [][]string) [][]string {
			f[0][2] = strings.Replace(f[0][2], "file", "fill", 1)
			return apart(linked(slices.Concat(f...)), f)
		},
		"dropped and linked anew": func(f [][]string) [][]string {
			f[0] = slices.Delete(f[0], 3, 4)
			return apart(linked(slices.Concat(f...)), f)
		},
	} {
		files := make([][]string, len(all))
		for i := range all {
			files[i] = slices.Clone(all[i])
		}
		tampered := t.TempDir()
		for i, lines := range change(files) {
			if err := os.WriteFile(filepath.Join(tampered, fmt.Sprint("audit", i)), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := verify(tampered, known); err == nil || strings.Contains(out, "goes on from the line before") {
			t.Errorf("%s: %v\n%s", what, err, out)
		} else {
			first, _, _ := strings.Cut(out, "\n")
			t.Logf("%s: %s", what, first[strings.LastIndex(first, "/")+1:])
		}
	}
}

// apart cuts lines into files of these lengths.
func apart(lines []string, as [][]string) (files [][]string) {
	for _, f := range as {
		files = append(files, lines[:len(f)])
		lines = lines[len(f):]
	}
	return files
}

// All checkpoints taken out, and linked anew: that nothing was signed for so long
// is found.
func TestVerifyMissesCheckpoints(t *testing.T) {
	var lines []string
	for n := range 30 {
		lines = append(lines, fmt.Sprintf(`{"time":"2026-01-01T00:%02d:00.000Z","seq":%d,"id":"AAAAAAAAAAAA-%d","host":"h","op":"drain","result":"ok"}`, n, n+1, n+1))
		if n > 0 {
			sum := sha256.Sum256([]byte(lines[n-1]))
			lines[n] = strings.TrimSuffix(lines[n], "}") + `,"prev":"` + hex.EncodeToString(sum[:]) + `"}`
		}
	}
	file := filepath.Join(t.TempDir(), "audit")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := audit.Verify([]string{file}, nil)
	if err != nil || len(v.Findings) != 1 || !strings.Contains(v.Findings[0].What, "no checkpoint for 11m") {
		t.Errorf("%+v (%v)", v, err)
	}
	// Too few to tell by their times, but they are old.
	os.WriteFile(file, []byte(lines[0]+"\n"), 0o600)
	if v, err := audit.Verify([]string{file}, nil); err != nil || len(v.Findings) != 1 || !strings.Contains(v.Findings[0].What, "no line is signed") {
		t.Errorf("%+v (%v)", v, err)
	}
	// A crash may have left lines to wait until the start; but these are not signed at all.
	text := bytes.ReplaceAll([]byte(strings.Join(lines[:2], "\n")+"\n"), []byte("00:01:00"), []byte("09:00:00"))
	text = bytes.ReplaceAll(text, []byte(`"seq":2,"id":"AAAAAAAAAAAA-2","host":"h","op":"drain"`), []byte(`"seq":2,"id":"AAAAAAAAAAAA-2","host":"h","op":"start"`))
	os.WriteFile(file, text, 0o600)
	if v, err := audit.Verify([]string{file}, nil); err != nil || len(v.Findings) != 1 || !strings.Contains(v.Findings[0].What, "no line is signed") {
		t.Errorf("%+v (%v)", v, err)
	}
}

// A server that is started anew signs what it finds. That does not hide that all
// checkpoints before were taken out.
func TestVerifyMissesCheckpointsBeforeASignedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	var lines []string
	for n := range 30 {
		op := "drain"
		if n%5 == 0 {
			op = "start" // pretended restarts do not hide it
		}
		lines = append(lines, fmt.Sprintf(`{"time":"2026-01-01T00:%02d:00.000Z","seq":%d,"id":"AAAAAAAAAAAA-%d","host":"here","op":"%s","result":"ok"}`, n, n+1, n+1, op))
		if n > 0 {
			sum := sha256.Sum256([]byte(lines[n-1]))
			lines[n] = strings.TrimSuffix(lines[n], "}") + `,"prev":"` + hex.EncodeToString(sum[:]) + `"}`
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, key := open(t, path, audit.Rules{}), hostKey(t)
	l.SetSigner(key)
	l.Report(sshd.Event{Op: audit.OpStart})
	l.Close()
	v, err := audit.Verify([]string{path}, []ssh.PublicKey{key.PublicKey()})
	if err != nil || v.Covered != 32 || len(v.Findings) != 1 || !strings.Contains(v.Findings[0].What, "no checkpoint for 11m") {
		t.Errorf("%+v (%v)", v, err)
	}
}

// A part of a line that was left when the file was rotated is no tampering, since the
// next line goes on from the one before. Anything else there is.
func TestVerifyPartsOfLines(t *testing.T) {
	dir, known := aDay(t)
	files, _ := filepath.Glob(filepath.Join(dir, "audit.1"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for part, good := range map[string]bool{`{"ti`: true, `{"time":"2026-11-26T05:12:44.031Z","seq":41`: true, "\n": true, "hello": false, `{"time":"x"}`: false, `{}`: false} {
		if err := os.WriteFile(files[0], append(bytes.Clone(whole), part...), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := verify(dir, known); (err == nil) != good {
			t.Errorf("%q: %v\n%s", part, err, out)
		}
	}
}

// A checkpoint that comes late, as after the machine has slept, signs what was before.
func TestVerifyLateCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	key := hostKey(t)
	l.SetSigner(key)
	l.Report(put("a"))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The first line is of last year; it is the one that the log goes on from.
	l.Close()
	old := strings.Replace(string(text), `{"time":"20`, `{"time":"19`, 1)
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, path, audit.Rules{})
	l.SetSigner(key)
	l.Report(put("b"))
	if v, err := audit.Verify([]string{path}, []ssh.PublicKey{key.PublicKey()}); err != nil || len(v.Findings) != 1 || v.Waiting.IsZero() {
		t.Errorf("before: %+v %v", v, err)
	}
	l.Close()
	if v, err := audit.Verify([]string{path}, []ssh.PublicKey{key.PublicKey()}); err != nil || len(v.Findings) != 0 || v.Covered != 3 {
		t.Errorf("after: %+v %v", v, err)
	}
}

// Files that were begun in the same millisecond are in the order of their numbers.
func TestInOrder(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "audit.1"), filepath.Join(dir, "audit")
	for n, file := range []string{first, second} {
		line := fmt.Sprintf(`{"time":"2026-01-01T00:00:00.000Z","seq":%d,"op":"put"}`+"\n", n+1)
		if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := audit.InOrder([]string{second, first}); got[0] != first {
		t.Error(got)
	}
}
