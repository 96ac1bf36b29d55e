package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDeliveries(t *testing.T) {
	s, err := load(t, `
audit_log = "log"
[[deliver]]
name = "a"
url = "https://example.com/secret?key=1"
results = []
concurrency = 2

[[deliver]]
name = "b"
command = ["/bin/true"]
timeout = 3
secret_file = "secret"
`)
	if err != nil {
		t.Fatal(err)
	}
	all := s.Deliveries()
	if len(all) != 2 || all[0].Timeout.Duration != 30*time.Second || all[0].Concurrency.N != 2 || len(all[0].Results) != 0 || !slices.Contains(all[0].Events, "recovered") ||
		all[1].Timeout.Duration != 3*time.Second || all[1].Concurrency.N != 4 || !slices.Equal(all[1].Results, []string{"ok"}) || all[1].RetryMax.Duration != 24*time.Hour {
		t.Errorf("%+v", all)
	}
	if !strings.HasSuffix(all[1].SecretFile, "/secret") {
		t.Errorf("a path does not start from the folder of the file: %s", all[1].SecretFile)
	}
	for setting, want := range map[string]string{
		DeliverSetting(0, "url"): ":5:1: ", DeliverSetting(1, "timeout"): ":12:1: ", DeliverSetting(1, "url"): ":9:3: ", DeliverSetting(1, ""): ":9:3: ",
	} {
		if got := s.Where(setting); !strings.HasSuffix(got, want) {
			t.Errorf("%s is at %q, want %q", setting, got, want)
		}
	}
	shown, err := s.Show()
	if err != nil || strings.Contains(string(shown), "secret?key") || !strings.Contains(string(shown), "https://example.com/(hidden)") || s.Deliver[0].URL != all[0].URL {
		t.Errorf("%v\n%s", err, shown)
	}
	for toml, want := range map[string]string{
		"[[deliver]]\nnme = \"x\"":     `:2:1: there is no setting "deliver.nme"; the nearest is "name"`,
		"[[deliver]]\ntimeout = \"x\"": `:2:11: "x" is not a time`,
		"[[deliver]]\nurl = 1":         "deliver.url must be text",
	} {
		if _, err := load(t, toml); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", toml, err, want)
		}
	}
}
