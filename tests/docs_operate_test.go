package tests

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
)

// TestMetricsAreExported compares the metrics of a server in which there is all that
// makes some with the document, and with the dashboard and the alerts of contrib.
func TestMetricsAreExported(t *testing.T) {
	dir := t.TempDir()
	s, err := newServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.certifyHostKey(t)
	toml := "quota = \"1GiB\"\nmax_files = 100\nmetrics_accounts = 5\n" + strings.Replace(operated, "library = \"library\"\n", "", 1) +
		"[libraries.library]\npath = \"library\"\n[libraries.library.gate]\nsocket = \"unix:" + keeperOf(t, "true") + "\"\nmode = \"hold\"\n"
	if s, err = startConfigured(dir, toml); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	s.operate(t, "reload")
	c := s.dial(t)
	if err := c.upload("file", []byte("text")); err != nil {
		t.Fatal(err)
	}
	var exported map[string]bool
	eventually(t, "the upload is counted", func() bool {
		text := s.browse(t, "metrics")
		exported = make(map[string]bool)
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
			exported[m[1]] = true
			if m[2] == "histogram" {
				exported[m[1]+"_bucket"] = true
			}
		}
		return exported["shelf_library_last_upload_timestamp_seconds"] && exported["shelf_operations_total"]
	})
	documented := make(map[string]bool)
	for line := range strings.Lines(readText(t, top+"/docs/operate.md")) {
		if name, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | "); strings.HasPrefix(line, "| `") {
			for _, m := range metricNames.FindAllString(name, -1) {
				documented[m] = true
			}
		}
	}
	own := maps.Clone(exported)
	maps.DeleteFunc(own, func(name string, _ bool) bool {
		return strings.HasPrefix(name, "go_") || strings.HasSuffix(name, "_bucket")
	})
	if !maps.Equal(own, documented) {
		t.Errorf("the server has %v\nand the document %v", slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(documented)))
	}
	for _, file := range []string{"grafana.json", "alerts.yml"} {
		asked := expressions(t, filepath.Join(top, "contrib", file))
		if len(asked) < 10 {
			t.Errorf("%s has only %d expressions", file, len(asked))
		}
		for _, e := range asked {
			for _, name := range metricNames.FindAllString(e, -1) {
				if !exported[name] {
					t.Errorf("%s asks for %s, which the server does not have: %s", file, name, e)
				}
			}
		}
	}
}

var metricNames = regexp.MustCompile(`\b(shelf|go|process)_[a-z_]+\b`)

// expressions are all that stands as an "expr" in a file of JSON or YAML.
func expressions(t *testing.T, file string) (all []string) {
	t.Helper()
	var content any
	text := []byte(readText(t, file))
	read := yaml.Unmarshal
	if filepath.Ext(file) == ".json" {
		read = json.Unmarshal
	}
	if err := read(text, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if e, ok := v["expr"].(string); ok {
				all = append(all, e)
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(content)
	return all
}

// certifyHostKey gives the RSA host key a certificate that expires.
func (s *server) certifyHostKey(t *testing.T) {
	t.Helper()
	key, err := readIdentity(filepath.Join(s.state, "ssh_host_rsa_key"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := readIdentity(s.identity)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: uint64(time.Now().Add(time.Hour).Unix())}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.state, "ssh_host_rsa_key-cert.pub"), ssh.MarshalAuthorizedKey(cert), 0o644); err != nil {
		t.Fatal(err)
	}
}
