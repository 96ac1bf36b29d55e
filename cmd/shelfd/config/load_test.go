package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// load loads what a configuration file and a command line say.
func load(t *testing.T, file string, args ...string) (Settings, error) {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddFlags(flags)
	if file != "" {
		path := filepath.Join(t.TempDir(), "shelfd.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(flags)
}

func TestDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/ana")
	t.Setenv("XDG_STATE_HOME", "")
	s, err := load(t, "")
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
	if s.User == "" || s.Grace.Duration != 10*time.Second || s.LoginGraceTime.Duration != 30*time.Second {
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
	s, err := load(t, `
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
	if by := s.By("user"); by != "--user" || s.By("max_startups") != "max_startups" {
		t.Errorf("messages say that %s sets the user", by)
	}
	if s.LoginGraceTime.Duration != 5*time.Second || !s.LogFormat.JSON || s.MaxStartups != (Startups{10}) ||
		s.ClientAliveCountMax.N != 7 || s.MaxAuthTries != Defaults().MaxAuthTries {
		t.Errorf("the file lost: %+v", s)
	}
}

// As in sshd_config, a number alone is seconds, and a limit without a chance.
func TestNumbersAlone(t *testing.T) {
	s, err := load(t, "login_grace_time = 20\nmax_startups = 9\n", "--grace", "5")
	if err != nil {
		t.Fatal(err)
	}
	if s.LoginGraceTime.Duration != 20*time.Second || s.Grace.Duration != 5*time.Second || s.MaxStartups != (Startups{9}) {
		t.Errorf("got %+v", s)
	}
}

func TestPathsOfTheFileStartFromItsFolder(t *testing.T) {
	t.Setenv("HOME", "/home/ana")
	s, err := load(t, "library = \"files\"\nstate = \"/var/shelf\"\nauthorized_keys_file = \"~/keys\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(s.Library) || filepath.Base(s.Library) != "files" || strings.HasPrefix(s.Library, mustGetwd(t)) ||
		s.State != "/var/shelf" || s.AuthorizedKeysFile != "/home/ana/keys" {
		t.Errorf("got %q, %q, %q", s.Library, s.State, s.AuthorizedKeysFile)
	}
	s, err = load(t, `user = "bob"`)
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
		"user = \"ana\"\nlibary = \"x\"\n":                `shelfd.toml:2:1: there is no setting "libary"; the nearest is "library"`,
		"[limits]\nmax_sessions = 3\n":                    `there is no setting "limits"`,
		"a = 1\nmax_session = 3\n":                        `:2:1: there is no setting "max_session"; the nearest is "max_sessions"`,
		"max_sessions = \"ten\"\n":                        "shelfd.toml:1:16: ",
		"max_sessions = 99999999999999999999":             "shelfd.toml:1:16: ",
		"\nlogin_grace_time = \"soon\"":                   `shelfd.toml:2:20: `,
		"login_grace_time = \"-5s\"":                      "is not a time such as 30s",
		"max_sessions = 0":                                "shelfd.toml:1:16: \"0\" is not a number of 1 or more",
		"max_open_files = -1":                             "shelfd.toml:1:18: ",
		"durability = \"maybe\"":                          "shelfd.toml:1:14: \"maybe\" is not fsync or none",
		"quota = \"much\"":                                "shelfd.toml:1:9: \"much\" is not a size such as 500MB",
		"max_file_size = -1":                              "shelfd.toml:1:17: ",
		"partials_per_account = -1":                       "shelfd.toml:1:24: ",
		"partial_max_age = \"week\"":                      "is not a time such as 30s",
		"log_format = \"xml\"":                            "is not text or json",
		"log_level = \"loud\"":                            `shelfd.toml:1:13: "loud" is not debug, info, warn or error`,
		"listen = 2222":                                   "shelfd.toml:1:10: listen must be text, in quotes",
		"grace = [1]":                                     `shelfd.toml:1:9: grace must be a time such as "30s"`,
		"quota = 2030-12-31":                              `shelfd.toml:1:9: quota must be a size such as "500MB"`,
		"max_sessions = 12:00:00":                         "shelfd.toml:1:16: max_sessions must be a number of 1 or more",
		"partials_per_account = 65536":                    "shelfd.toml:1:24: partials_per_account must be a number from 0 to 65535",
		"partials_per_account = \"1\"":                    "shelfd.toml:1:24: partials_per_account must be a number from 0 to 65535",
		"allow_root = \"yes\"":                            "shelfd.toml:1:14: allow_root must be true or false",
		"exempt_probes = \"192.0.2.1\"":                   `shelfd.toml:1:17: exempt_probes must be a list of texts, in brackets and quotes`,
		"libraries = 3":                                   "shelfd.toml:1:13: libraries must be a table",
		"[[accounts]]\nname = \"x\"":                      "shelfd.toml:1:3: accounts must be a table",
		"[accounts]\nana = \"x\"":                         "shelfd.toml:2:7: accounts.ana must be a table",
		"[accounts]\nana = { library = 2 }":               "shelfd.toml:2:19: this value is of the wrong kind for its setting in accounts.ana",
		"[accounts.ana]\nexpires = \"tomorrow\"":          `shelfd.toml:2:11: "tomorrow" is not a date such as 2030-12-31`,
		"[accounts.ana]\nexpires = 3":                     `shelfd.toml:2:11: "3" is not a date such as 2030-12-31`,
		"[accounts.ana]\nexpires = [3]":                   `shelfd.toml:2:11: accounts.ana.expires must be a date such as 2030-12-31`,
		"[accounts.ana]\nmax_file_size = [3]":             `shelfd.toml:2:17: accounts.ana.max_file_size must be a size such as`,
		"[acounts.ana]\nlibrary = \"x\"":                  `shelfd.toml:1:2: there is no setting "acounts.ana"; the nearest is "accounts"`,
		"quota = 10GB\n":                                  `shelfd.toml:1:9: 10GB needs quotes: quota = "10GB"`,
		"a = 1\nlibrary = /srv # files\nb = 2":            `shelfd.toml:2:11: /srv needs quotes: library = "/srv"`,
		"[libraries.a]\nmin_free_space = 5 MB":            `needs quotes: min_free_space = "5 MB"`,
		"listen = :2222":                                  `needs quotes: listen = ":2222"`,
		"[accounts.a]\nfrom = [192.0.2.0/24, !192.0.2.1]": `shelfd.toml:2:8: [192.0.2.0/24, !192.0.2.1] needs quotes: from = ["192.0.2.0/24", "!192.0.2.1"]`,
		"[accounts.a]\npermissions = [fly]":               "shelfd.toml:2:16: ",
		"quota = ten":                                     "shelfd.toml:1:9: ",
		"port = 22":                                       `there is no setting "port"; the nearest is "listen"`,
		"user = \"ana\nlisten = 1":                        "shelfd.toml:1:",
		"user = \"ana\"\nuser = \"bob\"":                  "shelfd.toml:2:",
		"user":                                            "shelfd.toml:1:",
	} {
		_, err := load(t, toml)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", toml, err, want)
		}
	}
}

// A library lies in a folder or in a bucket, and has the settings of that alone.
func TestBuckets(t *testing.T) {
	for toml, want := range map[string]string{
		"[libraries.a]\nbucket = \"s3://b/p\"\npath = \"p\"":           "shelfd.toml:3:1: libraries.a.path: path and bucket cannot both be set",
		"[libraries.a]\nbucket = \"b/p\"":                              "shelfd.toml:2:1: libraries.a.",
		"[libraries.a]\nbucket = \"s3:///p\"":                          "shelfd.toml:2:1: libraries.a.",
		"[libraries.a]\nbucket = \"s3://%u/p\"":                        "shelfd.toml:2:1: libraries.a.",
		"[libraries.a]\nbucket = \"s3://b\"\naccount_quota = \"1GiB\"": "shelfd.toml:3:1: libraries.a.",
		"account_quota = \"1GiB\"\n[libraries.a]\nbucket = \"s3://b\"": "a library in a bucket can't keep to it",
		"[libraries.a]\nbucket = \"s3://b\"\ndurability = \"none\"":    "shelfd.toml:3:1: libraries.a.",
		"[libraries.a]\nbucket = \"s3://b\"\npart_size = \"1MiB\"":     "shelfd.toml:3:1: libraries.a.part_size: stores take parts of 5MiB or more",
		"[libraries.a]\npath = \"p\"\nendpoint = \"http://127.0.0.1\"": "shelfd.toml:3:1: libraries.a.endpoint: it is for a library in a bucket",
	} {
		_, err := load(t, toml)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", toml, err, want)
		}
	}
	for url, want := range map[string][2]string{"s3://b": {"b", ""}, "s3://b/": {"b", ""}, "s3://b/p/q/": {"b", "p/q"}} {
		if name, prefix := SplitBucket(url); name != want[0] || prefix != want[1] {
			t.Errorf("%s is %q and %q", url, name, prefix)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1 B": 1, "1KiB": 1024, "1.5k": -1, "1.5K": 1536, "10GiB": 10 << 30, "500 MB": 500e6, "2T": 2 << 40,
		"": -1, "-1": -1, "GiB": -1, "1e30": -1, "NaN": -1, "Inf": -1, "ten": -1, "1 GiB x": -1,
	} {
		var s Size
		err := s.UnmarshalText([]byte(text))
		if want < 0 && err == nil || want >= 0 && (err != nil || s.Bytes != want) {
			t.Errorf("%q is %d bytes (%v), want %d", text, s.Bytes, err, want)
		}
		if again, _ := s.MarshalText(); err == nil {
			var back Size
			if back.UnmarshalText(again) != nil || back != s {
				t.Errorf("%d is written %s, which is read as %d", s.Bytes, again, back.Bytes)
			}
		}
	}
}

// A hold is written as true, false or a date, and a library's own wins.
func TestHold(t *testing.T) {
	t.Setenv("TZ", "UTC")
	for text, want := range map[string]Hold{
		`true`: {Always: true}, `false`: {}, `"2032-01-02"`: {Until: time.Date(2032, 1, 2, 0, 0, 0, 0, time.Local)},
		`"2032-01-02T03:04:05Z"`: {Until: time.Date(2032, 1, 2, 3, 4, 5, 0, time.UTC)},
	} {
		s, err := load(t, "hold = "+text+"\nauthorized_keys_file = \"keys/%u\"\n[libraries.a]\npath = \"/a\"\n[libraries.b]\npath = \"/b\"\nhold = true\n")
		if err != nil {
			t.Fatal(err)
		}
		all := s.AllLibraries()
		if got := *all["a"].Hold; got.Always != want.Always || !got.Until.Equal(want.Until) {
			t.Errorf("%s is %+v", text, got)
		}
		if !all["b"].Hold.Always {
			t.Error("the library's own does not win")
		}
		var back Hold
		if again, err := want.MarshalText(); err != nil || back.UnmarshalText(again) != nil || !back.Until.Equal(want.Until) || back.Always != want.Always {
			t.Errorf("%+v is written %s, which is read as %+v", want, again, back)
		}
	}
	for _, text := range []string{`"soon"`, `2032-01-02`, `1`} {
		if _, err := load(t, "hold = "+text); err == nil || !strings.Contains(err.Error(), "true, false, or a date") {
			t.Errorf("hold = %s: %v", text, err)
		}
	}
}

// Ages take a unit: who writes 30 may mean days.
func TestAges(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "30d": 30 * 24 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "36500d": 36500 * 24 * time.Hour,
		"30": -1, "": -1, "-1d": -1, "d": -1, "1.5d": -1, "99999999d": -1, "-5h": -1, "soon": -1,
	} {
		var a Age
		err := a.UnmarshalText([]byte(text))
		if want < 0 && err == nil || want >= 0 && (err != nil || a.Duration != want) {
			t.Errorf("%q is %v (%v), want %v", text, a, err, want)
		}
		var back Age
		if again, _ := a.MarshalText(); err == nil && (back.UnmarshalText(again) != nil || back != a) {
			t.Errorf("%v is written %s, which is read as %v", a, again, back)
		}
	}
	if _, err := load(t, "expire_after = 30"); err == nil || !strings.Contains(err.Error(), "with a unit") {
		t.Errorf("expire_after = 30: %v", err)
	}
	for setting, want := range map[string]string{
		"keep_versions = 3": "", `expire_after = "1d"`: "", "keep_versions = 3\nkeep_versions_for = \"1d\"": "", `keep_versions_for = "1d"`: "set keep_versions, too",
	} {
		_, err := load(t, "authorized_keys_file = \"keys/%u\"\n[libraries.b]\nbucket = \"s3://b\"\n"+setting)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s of a bucket: %v", setting, err)
		}
	}
}
