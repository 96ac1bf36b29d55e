package tests

import (
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestAuditFieldsAreDocumented has each event happen, and compares the names of
// events and fields in the audit log with those in the tables of the document.
func TestAuditFieldsAreDocumented(t *testing.T) {
	s := serveConfigured(t, `
audit_log = "audit"
library = "library"
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`)
	if c, err := s.connectAs("nobody"); err == nil {
		c.close()
		t.Error("nobody is let in")
	}
	c := s.dial(t)
	s.everyEvent(t, c)
	c.close()
	eventually(t, "the logout is written", func() bool {
		return strings.Contains(readText(t, filepath.Join(s.dir, "audit")), "logout")
	})

	events, fields := make(map[string]bool), make(map[string]bool)
	for line := range strings.Lines(readText(t, filepath.Join(s.dir, "audit"))) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events[event["op"].(string)] = true
		for field := range event {
			fields[field] = true
		}
	}
	text := readText(t, top+"/docs/audit.md")
	for title, got := range map[string]map[string]bool{"field | kind": fields, "`op` | is": events} {
		if documented := firstColumn(text, title); !maps.Equal(got, documented) {
			t.Errorf("the log has %v, and the document %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(documented)))
		}
	}
}

// everyEvent does what makes an event, or is refused.
func (s *server) everyEvent(t *testing.T, c *client) {
	t.Helper()
	f, err := c.Create("file")
	if err == nil {
		_, err = f.Write([]byte("text"))
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		_, err = c.ReadDir("/")
	}
	if err == nil {
		err = c.Chtimes("file", time.Unix(1, 0), time.Unix(1, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	if f, err = c.Open("file"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, command := range []string{"sha256sum file", "rm file"} {
		channel, requests, err := c.ssh.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(requests)
		if ok, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{command})); !ok || err != nil {
			t.Fatalf("%s is not taken: %v", command, err)
		}
		io.Copy(io.Discard, channel)
		channel.Close()
	}
	if err := c.Rename("file", "other"); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove("other"); err != nil {
		t.Fatal(err)
	}
}

// firstColumn are the names in the first column of the table with a title.
func firstColumn(text, title string) map[string]bool {
	names := make(map[string]bool)
	_, table, _ := strings.Cut(text, "\n| "+title+" |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)[ `]").FindAllStringSubmatch(table, -1) {
		names[m[1]] = true
	}
	return names
}
