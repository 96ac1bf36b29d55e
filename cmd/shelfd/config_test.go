package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"shelf/vfs/local"
)

// settleArgs settles what a command line and a configuration file say.
func settleArgs(t *testing.T, toml string, args ...string) (settings, error) {
	t.Helper()
	config := ""
	if toml != "" {
		config = filepath.Join(t.TempDir(), "shelfd.toml")
		if err := os.WriteFile(config, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var s settings
	var err error
	c := serveCommand()
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err = settle(config, c.Flags())
		return nil
	}
	c.SetArgs(args)
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	return s, err
}

func TestDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/ana")
	t.Setenv("XDG_STATE_HOME", "")
	s, err := settleArgs(t, "")
	if err != nil {
		t.Fatal(err)
	}
	here, _ := os.Getwd()
	for what, pair := range map[string][2]string{
		"library": {s.Library, filepath.Join(here, "library")},
		"state":   {s.State, "/home/ana/.local/state/shelf"},
		"keys":    {s.AuthorizedKeysFile, "/home/ana/.ssh/authorized_keys"},
		"listen":  {s.Listen, ":2222"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	if s.User == "" || s.Grace.Duration != 10*time.Second || s.limits().LoginGraceTime != 30*time.Second {
		t.Errorf("got %+v", s)
	}
}

func TestStateFolder(t *testing.T) {
	for _, test := range []struct{ home, xdg, want string }{
		{"/home/ana", "/var/state", "/var/state/shelf"},
		{"/home/ana", "relative", "/home/ana/.local/state/shelf"},
		{"", "/var/state", "/var/state/shelf"},
		{"", "", ""},
	} {
		t.Setenv("HOME", test.home)
		t.Setenv("XDG_STATE_HOME", test.xdg)
		got, err := stateFolder()
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: got %q (%v)", test, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--state") {
			t.Errorf("%v does not say what to do", err)
		}
	}
}

func TestFlagsWinOverTheFile(t *testing.T) {
	s, err := settleArgs(t, `
listen = "127.0.0.1:1"
user = "bob"
login_grace_time = "5s"
log_format = "json"
log_level = "warn"
max_startups = "5:50:10"
client_alive_count_max = 7
`, "--user", "ana", "--log-level=debug", "--listen", ":2222")
	if err != nil {
		t.Fatal(err)
	}
	if s.User != "ana" || s.LogLevel.Level != slog.LevelDebug || s.Listen != ":2222" {
		t.Errorf("a flag lost: %+v", s)
	}
	if by := s.places.by("user"); by != "--user" || s.places.by("max_startups") != "max_startups" {
		t.Errorf("messages say that %s sets the user", by)
	}
	l := s.limits()
	if l.LoginGraceTime != 5*time.Second || !s.LogFormat.json || l.MaxStartups != 10 ||
		l.ClientAliveCountMax != 7 || l.MaxAuthTries != defaults().MaxAuthTries.n {
		t.Errorf("the file lost: %+v", s)
	}
}

// A number alone is seconds, or how many may wait to log in.
func TestNumbersAlone(t *testing.T) {
	s, err := settleArgs(t, "login_grace_time = 20\nmax_startups = 9\n", "--grace", "5")
	if err != nil {
		t.Fatal(err)
	}
	if l := s.limits(); l.LoginGraceTime != 20*time.Second || s.Grace.Duration != 5*time.Second ||
		l.MaxStartups != 9 {
		t.Errorf("got %+v", s)
	}
}

func TestStorage(t *testing.T) {
	s, err := settleArgs(t, `
durability = "none"
quota = "10GiB"
min_free_space = "1 GB"
max_file_size = "4GiB"
max_open_files = 12
partial_min_size = 4096
partial_max_age = "48h"
partials_per_account = 0
`)
	if err != nil {
		t.Fatal(err)
	}
	o := s.storage(s.libraries()[onlyLibrary], nil)
	if o.Durability != local.NoFsync || o.Quota != 10<<30 || o.MinFreeSpace != 1e9 || s.MaxFileSize.bytes != 4<<30 ||
		s.MaxOpenFiles.n != 12 || *o.Partials != (local.PartialRules{MinSize: 4096, MaxAge: 48 * time.Hour}) {
		t.Errorf("got %+v", s)
	}
	s, err = settleArgs(t, `max_sessions = 9`)
	if err != nil {
		t.Fatal(err)
	}
	o = s.storage(s.libraries()[onlyLibrary], nil)
	if o.Durability != local.Fsync || o.Quota != 0 || o.MinFreeSpace != 0 || s.MaxFileSize.bytes != 0 ||
		s.MaxOpenFiles.n != 256 || *o.Partials != local.DefaultPartialRules() {
		t.Errorf("by default %+v", s)
	}
}

func TestPathsOfTheFileStartFromItsFolder(t *testing.T) {
	t.Setenv("HOME", "/home/ana")
	s, err := settleArgs(t, "library = \"files\"\nstate = \"/var/shelf\"\nauthorized_keys_file = \"~/keys\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(s.Library) || filepath.Base(s.Library) != "files" || strings.HasPrefix(s.Library, mustGetwd(t)) ||
		s.State != "/var/shelf" || s.AuthorizedKeysFile != "/home/ana/keys" {
		t.Errorf("got %q, %q, %q", s.Library, s.State, s.AuthorizedKeysFile)
	}
	s, err = settleArgs(t, `user = "bob"`)
	if err != nil || s.Library != filepath.Join(mustGetwd(t), "library") {
		t.Errorf("a library that is not named is %q (%v)", s.Library, err)
	}
}

func mustGetwd(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return here
}

func TestMistakesInTheFile(t *testing.T) {
	for toml, want := range map[string]string{
		"user = \"ana\"\nlibary = \"x\"\n":       `shelfd.toml:2:1: there is no setting "libary"; the nearest is "library"`,
		"[limits]\nmax_sessions = 3\n":           `there is no setting "limits"`,
		"a = 1\nmax_session = 3\n":               `:2:1: there is no setting "max_session"; the nearest is "max_sessions"`,
		"max_sessions = \"ten\"\n":               "shelfd.toml:1:16: ",
		"max_sessions = 99999999999999999999":    "shelfd.toml:1:16: ",
		"\nlogin_grace_time = \"soon\"":          `shelfd.toml:2:20: `,
		"login_grace_time = \"-5s\"":             "is not a time such as 30s",
		"max_sessions = 0":                       "shelfd.toml:1:16: \"0\" is not a number of 1 or more",
		"max_open_files = -1":                    "shelfd.toml:1:18: ",
		"durability = \"maybe\"":                 "shelfd.toml:1:14: \"maybe\" is not fsync or none",
		"quota = \"much\"":                       "shelfd.toml:1:9: \"much\" is not a size such as 500MB",
		"max_file_size = -1":                     "shelfd.toml:1:17: ",
		"partials_per_account = -1":              "shelfd.toml:1:24: ",
		"partial_max_age = \"week\"":             "is not a time such as 30s",
		"log_format = \"xml\"":                   "is not text or json",
		"log_level = \"loud\"":                   `shelfd.toml:1:13: "loud" is not debug, info, warn or error`,
		"listen = 2222":                          "shelfd.toml:1:10: listen is text, in quotes",
		"grace = [1]":                            `shelfd.toml:1:9: grace is a time such as "30s"`,
		"quota = 2030-12-31":                     `shelfd.toml:1:9: quota is a size such as "500MB"`,
		"max_sessions = 12:00:00":                "shelfd.toml:1:16: max_sessions is a number of 1 or more",
		"partials_per_account = 65536":           "shelfd.toml:1:24: partials_per_account is a number from 0 to 65535",
		"partials_per_account = \"1\"":           "shelfd.toml:1:24: partials_per_account is a number from 0 to 65535",
		"allow_root = \"yes\"":                   "shelfd.toml:1:14: allow_root is true or false",
		"exempt_probes = \"192.0.2.1\"":          `shelfd.toml:1:17: exempt_probes is a list of texts, in brackets and quotes`,
		"libraries = 3":                          "shelfd.toml:1:13: libraries is a table",
		"[[accounts]]\nname = \"x\"":             "shelfd.toml:1:3: accounts is a table",
		"[accounts]\nana = \"x\"":                "shelfd.toml:2:7: accounts.ana is a table",
		"[accounts]\nana = { library = 2 }":      "shelfd.toml:2:19: this is another kind of value than its setting in accounts.ana takes",
		"[accounts.ana]\nexpires = \"tomorrow\"": `shelfd.toml:2:11: "tomorrow" is not a date such as 2030-12-31`,
		"[accounts.ana]\nexpires = 3":            `shelfd.toml:2:11: "3" is not a date such as 2030-12-31`,
		"[accounts.ana]\nexpires = [3]":          `shelfd.toml:2:11: accounts.ana.expires is a date such as 2030-12-31`,
		"[accounts.ana]\nmax_file_size = [3]":    `shelfd.toml:2:17: accounts.ana.max_file_size is a size such as`,
		"[acounts.ana]\nlibrary = \"x\"":         `shelfd.toml:1:2: there is no setting "acounts.ana"; the nearest is "accounts"`,
		"user = \"ana\nlisten = 1":               "shelfd.toml:1:",
		"user = \"ana\"\nuser = \"bob\"":         "shelfd.toml:2:",
		"user":                                   "shelfd.toml:1:",
	} {
		_, err := settleArgs(t, toml)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", toml, err, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"list", "listen", 2}, {"same", "same", 0}} {
		if got := edits(test.a, test.b); got != test.want {
			t.Errorf("%q to %q takes %d edits, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1 B": 1, "1KiB": 1024, "1.5k": -1, "1.5K": 1536, "10GiB": 10 << 30, "500 MB": 500e6, "2T": 2 << 40,
		"": -1, "-1": -1, "GiB": -1, "1e30": -1, "NaN": -1, "Inf": -1, "ten": -1, "1 GiB x": -1,
	} {
		var s size
		err := s.UnmarshalText([]byte(text))
		if want < 0 && err == nil || want >= 0 && (err != nil || s.bytes != want) {
			t.Errorf("%q is %d bytes (%v), want %d", text, s.bytes, err, want)
		}
		if again, _ := s.MarshalText(); err == nil {
			var back size
			if back.UnmarshalText(again) != nil || back != s {
				t.Errorf("%d is written %s, which is read as %d", s.bytes, again, back.bytes)
			}
		}
	}
}
