package tests

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// blocks are the blocks of code of a language in the section of a document.
func blocks(t *testing.T, file, heading, language string) (all []string) {
	t.Helper()
	text := readText(t, filepath.Join(top, "docs", file))
	_, section, ok := strings.Cut(text, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no %q", file, heading)
	}
	level := strings.IndexByte(heading, ' ')
	if end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, level)).FindStringIndex(outsideCode(section)); end != nil {
		section = section[:end[0]]
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(section, -1) {
		all = append(all, m[1])
	}
	return all
}

// outsideCode has spaces in the place of code.
func outsideCode(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllStringFunc(text, func(code string) string { return strings.Repeat(" ", len(code)) })
}

// TestVerifyAsDocumented has the lines of the document, in each language, look at what
// the library of Standard Webhooks has signed, and at what was changed since.
func TestVerifyAsDocumented(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const id, body = "M4QKJ7XH2TBA-417", `{"name":"ä b"}`
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signatures := signature + " v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, fmt.Appendf(nil, "%s.%d.%s", id, now.Unix(), body)))
	python := blocks(t, "deliver.md", "### Verify", "python")
	golang := blocks(t, "deliver.md", "### Verify", "go")
	shell := blocks(t, "deliver.md", "### Verify", "sh")
	if len(python) != 1 || len(golang) != 1 || len(shell) != 2 {
		t.Fatalf("there are %d, %d and %d", len(python), len(golang), len(shell))
	}
	for _, changed := range []bool{false, true} {
		dir := t.TempDir()
		text, want := body, "good"
		if changed {
			text, want = body+" ", "bad"
		}
		for file, content := range map[string]string{
			"body": text, "main.go": `package main
import ("crypto/hmac"; "crypto/sha256"; "encoding/base64"; "fmt"; "os"; "slices"; "strings")
` + golang[0] + `
func main() {
	body, _ := os.ReadFile("body")
	if verify(os.Getenv("secret"), os.Getenv("id"), os.Getenv("timestamp"), body, os.Getenv("signatures")) { fmt.Println("good") } else { fmt.Println("bad") }
}`,
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run := func(what string, args ...string) {
			t.Helper()
			need(t, args[0])
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GO111MODULE=off", "secret="+secret, "id="+id, fmt.Sprintf("timestamp=%d", now.Unix()), "signatures="+signatures,
				"public=whpk_"+base64.StdEncoding.EncodeToString(public))
			out, err := cmd.CombinedOutput()
			if got := strings.TrimSpace(string(out)); got != want {
				t.Errorf("%s says %q (%v), want %s", what, got, err, want)
			}
		}
		run("Python", "/usr/bin/python3", "-c", python[0]+`
import os
e = os.environ
print("good" if verify(e["secret"], e["id"], e["timestamp"], open("body", "rb").read(), e["signatures"]) else "bad")`)
		run("Go", "go", "run", "main.go")
		run("the shell", "sh", "-euc", shell[0])
		run("openssl", "sh", "-euc", "if ("+shell[1]+") > out 2>&1 && grep -q Verified out; then echo good; else echo bad; fi")
	}
}

// TestDeliverMetricsAreDocumented compares the metrics with the document.
func TestDeliverMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	prepareDelivering(t, dir)
	r := newReceiver(t, dir, "good")
	r.behave(func(http.ResponseWriter, *http.Request, delivery) bool { return false })
	s := serveIn(t, dir, "deliver_listen = \"127.0.0.1:0\"\n"+delivering+r.table("good", ""))
	d, err := s.deliver()
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop(t)
	d.ready(t)
	if err := s.dial(t).upload("file", nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	eventually(t, "it was delivered", func() bool {
		got = nil
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) `).FindAllStringSubmatch(deliverMetrics(t, d), -1) {
			got = append(got, m[1])
		}
		return slices.Contains(got, "shelf_deliver_last_delivery_timestamp_seconds")
	})
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(shelf_deliver_\\w+)` \\|").FindAllStringSubmatch(readText(t, top+"/docs/deliver.md"), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(got)
	slices.Sort(documented)
	if !slices.Equal(got, documented) {
		t.Errorf("there are %v\nand in the document %v", got, documented)
	}
}
