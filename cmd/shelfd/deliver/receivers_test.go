package deliver

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shelf/cmd/shelfd/config"
)

// A receiver with a mistake is left out, with the reason, and the others stay.
func TestMistakesOfReceivers(t *testing.T) {
	dir := t.TempDir()
	for file, mode := range map[string]os.FileMode{"secret": 0o600, "open": 0o644} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	secret, open := filepath.Join(dir, "secret"), filepath.Join(dir, "open")
	good := config.Deliver{Name: "good", URL: "https://example.com/x", SecretFile: secret}
	for want, d := range map[string]config.Deliver{
		"a name is 1 to 64":             {Name: "../x", URL: good.URL, SecretFile: secret},
		"another [[deliver]] has":       good,
		"set either url or command":     {Name: "a"},
		"url: set either":               {Name: "a", URL: good.URL, Command: []string{"/bin/true"}},
		"without TLS":                   {Name: "a", URL: "http://example.com/", SecretFile: secret},
		"must be signed":                {Name: "a", URL: good.URL},
		"others may read or change":     {Name: "a", URL: good.URL, SecretFile: open},
		"key_file":                      {Name: "a", URL: good.URL, KeyFile: secret},
		"there is no library":           {Name: "a", Command: []string{"/bin/true"}, Libraries: []string{"none"}},
		"is no whole path":              {Name: "a", Command: []string{"true"}},
		"cannot be run":                 {Name: "a", Command: []string{secret}},
		"it is for url":                 {Name: "a", Command: []string{"/bin/true"}, SecretFile: secret},
		"has no certificate":            {Name: "a", URL: good.URL, SecretFile: secret, CA: secret},
		"go together":                   {Name: "a", URL: good.URL, SecretFile: secret, ClientKey: secret},
		"client_key: " + open + " has":  {Name: "a", URL: good.URL, SecretFile: secret, ClientKey: open, ClientCertificate: secret},
		"no such file":                  {Name: "a", URL: good.URL, SecretFile: secret + "x"},
		"retry_min: it is more than":    {Name: "a", Command: []string{"/bin/true"}, RetryMin: config.Duration{Duration: 1 << 62}},
		"a URL with a name or a passwo": {Name: "a", URL: "https://a:b@example.com/", SecretFile: secret},
	} {
		s := config.Settings{AuditLog: "log", Deliver: []config.Deliver{good, d}}
		all, err := Receivers(s, "")
		if err == nil || !strings.Contains(err.Error(), want) || len(all) != 1 || all[0].Name != "good" {
			t.Errorf("%v, want %q; %d are left", err, want, len(all))
		}
		if Check(s, &bytes.Buffer{}) == nil {
			t.Errorf("Check finds no mistake where %q is one", want)
		}
	}
	s := config.Settings{AuditLog: "log", Deliver: []config.Deliver{good}}
	if err := Check(s, &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
	if s.AuditLog = ""; Check(s, &bytes.Buffer{}) == nil {
		t.Error("without an audit log there is nothing to deliver")
	}
}
