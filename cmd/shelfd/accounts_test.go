package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
)

func publicKey(t *testing.T) string {
	t.Helper()
	key, err := keys.Generate(filepath.Join(t.TempDir(), "id"), "")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// load loads what a configuration file and the flags of serve say.
func load(t *testing.T, file string, args ...string) (config.Settings, error) {
	t.Helper()
	path, c := filepath.Join(t.TempDir(), "shelfd.toml"), serveCommand()
	if err := errors.Join(os.WriteFile(path, []byte(file), 0o600), c.ParseFlags(append(args, "--config", path))); err != nil {
		t.Fatal(err)
	}
	return config.Load(c.Flags())
}

// What tables say of accounts and libraries arrives in what they are served.
func TestServices(t *testing.T) {
	key := publicKey(t)
	s, err := load(t, `
max_file_size = "1GiB"
max_open_files = 7
authorized_keys_file = "keys/%u"

[libraries.in]
path = "in"
max_file_size = "2GiB"

[libraries.out]
path = "out"
durability = "none"
quota = "5GiB"

[accounts.ana]
library = "in"
authorized_keys = ["`+key+`"]

[accounts.bob]
library = "out"
authorized_keys = ["`+key+`"]
permissions = ["reader", "delete"]
max_sessions = 3
max_file_size = "3GiB"
max_upload_rate = "1MiB"
expires = 2030-01-02
from = ["192.0.2.0/24"]

[accounts.cem]
library = "in"
authorized_keys = ["`+key+`"]
permissions = []
`)
	if err != nil {
		t.Fatal(err)
	}
	if _, wrong, err := (&accounts{}).build(s); err != nil || len(wrong) > 0 {
		t.Fatal(err, wrong)
	}
	set := library.New(s, slog.New(slog.DiscardHandler), nil)
	served := newServices(s, set, nil, new(rates))
	service := func(id keys.Identity) (sshd.Service, access.Share, error) {
		service, err := served.service(id)
		return service, service.Shares[""], err
	}
	in, _ := set.Source("in", "")
	out, _ := set.Source("out", "")
	ana, share, err := service(keys.Identity{Account: "ana"})
	if err != nil || share.Source != in || share.Permissions != vfs.DefaultPermissions() || share.MaxFileSize != 2<<30 || share.Label != "in" ||
		ana.MaxOpenFiles != 7 || ana.MaxSessions != 0 || ana.Upload != nil {
		t.Errorf("ana gets %+v (%v)", ana, err)
	}
	bob, share, err := service(keys.Identity{Account: "bob"})
	if err != nil || share.Source != out || share.Permissions != (vfs.Permissions{List: true, Read: true, Delete: true}) ||
		share.MaxFileSize != 3<<30 || bob.MaxSessions != 3 || bob.Upload == nil || bob.Upload.Limit() != 1<<20 || bob.Download != nil {
		t.Errorf("bob gets %+v (%v)", bob, err)
	}
	if cem, share, err := service(keys.Identity{Account: "cem"}); err != nil || share.Permissions != (vfs.Permissions{}) {
		t.Errorf("cem, who may do nothing, gets %+v (%v)", cem, err)
	}
	if _, _, err := service(keys.Identity{Account: "dan"}); err == nil {
		t.Error("an account of a file is served though it is not said what")
	}
	account, err := (&accounts{}).account(s, "bob", s.Accounts["bob"])
	if err != nil || account.Expires.Year() != 2030 || account.From == nil {
		t.Errorf("bob is %+v (%v)", account, err)
	}
}

func TestPresets(t *testing.T) {
	for name, want := range map[string]vfs.Permissions{
		"reader":  {List: true, Read: true},
		"dropbox": {Write: true},
		"editor":  vfs.DefaultPermissions(),
		"admin":   {List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true, Restore: true},
		"list":    {List: true}, "read": {Read: true}, "write": {Write: true},
		"overwrite": {Overwrite: true}, "rename": {Rename: true}, "delete": {Delete: true}, "restore": {Restore: true},
	} {
		if got := permissions([]config.Permission{{Word: name}}); got != want {
			t.Errorf("%s is %+v", name, got)
		}
	}
	for _, word := range config.PermissionWords() {
		if meaning(word) == (vfs.Permissions{}) {
			t.Errorf("%s means nothing", word)
		}
	}
}

// Each mistake is told before anybody is served, and with the names that it is
// about.
func TestMistakesInTables(t *testing.T) {
	key := publicKey(t)
	inline := "authorized_keys = [\"" + key + "\"]\n"
	two := "[libraries.in]\npath = \"in\"\n[libraries.out]\npath = \"out\"\n"
	for toml, want := range map[string]string{
		"[accounts.ana]\npermisions = [\"list\"]\n":                                                                   `shelfd.toml:2:1: there is no setting "accounts.ana.permisions"; the nearest is "permissions"`,
		"[libraries.a]\npath = \"a\"\nquote = 1\n":                                                                    `the nearest is "quota"`,
		"[per_source_penalties]\nauth_fial = \"5s\"\n":                                                                `the nearest is "auth_fail"`,
		"[accounts.ana]\npermissions = [\"list\", \"fly\"]\n":                                                         `there is no permission "fly"`,
		"[accounts.ana]\nauthentication_methods = [\"magic\"]\n":                                                      `"magic" is not a method`,
		"exempt_probes = [\"10.0.0.1/8\"]\n":                                                                          "10.0.0.0/8 is the network",
		"proxy_protocol = [\"proxy.example.com\"]\n":                                                                  "is not an address or network",
		"per_source_net_block_size = \"33:64\"\n":                                                                     "is not IPv4 bits:IPv6 bits",
		"[accounts.ana]\n":                                                                                            "shelfd.toml:1:2: accounts.ana: it has no keys and no password, so nobody could log in to it",
		"[accounts.ana]\nlibrary = \"lab\"\n" + inline + "[libraries.lib]\npath = \"x\"\n":                            `shelfd.toml:2:1: accounts.ana.library: there is no library "lab"; the nearest is "lib"`,
		"[accounts.ana]\n" + inline + "[libraries.a]\npath = \"a\"\n[libraries.b]\npath = \"b\"\n":                    "shelfd.toml:1:2: accounts.ana.library: it must be set, since no library is called default; there are a, b",
		"[libraries.a]\nquota = 1\n":                                                                                  `shelfd.toml:1:2: libraries.a.path: it is not set`,
		"library = \"x\"\n[libraries.a]\npath = \"a\"\n":                                                              "shelfd.toml:1:1: library: library and [libraries] cannot both be set; leave library out",
		"user = \"ana\"\n[accounts.bob]\n" + inline:                                                                   "shelfd.toml:1:1: user: it names the account of a server that has no others; here [accounts] name them, so leave it out",
		"authorized_keys_file = \"keys\"\n[accounts.bob]\n" + inline:                                                  "%u",
		"[accounts.ana]\nauthorized_keys = [\"from=\\\"x.example.com\\\" " + key + "\"]\n":                            `shelfd.toml:2:1: accounts.ana.authorized_keys: option from`,
		"accounts = { ana = { totp_secret = \"x\", library = \"x\" } }\n":                                             "shelfd.toml:1:22: accounts.ana.totp_secret: it is not base32",
		"[libraries.a]\npath = \"a\"\n[libraries.b]\npath = \"b\"\n":                                                  "shelfd.toml:1:2: libraries: without [accounts], one library must be called default; there are a, b",
		"max_startups = \"9:10:x\"\n":                                                                                 "shelfd.toml:1:16: \"9:10:x\" is not a number",
		"authorized_keys_file = \"keys\"\naccounts.\"x\".library = \"lib\"\n":                                         "shelfd.toml:1:1: authorized_keys_file: all [accounts] would have the same keys",
		"[accounts.ana]\nfrom = [\"example.com\"]\n" + inline:                                                         `shelfd.toml:2:1: accounts.ana.from: `,
		"[accounts.ana]\nauthorized_keys_file = \"nowhere\"\n":                                                        `shelfd.toml:2:1: Account "ana": nobody could log in by key: open `,
		"[accounts.ana]\npassword_hash = \"secret\"\n":                                                                "shelfd.toml:2:1: accounts.ana.password_hash: it is not an argon2id hash",
		"[accounts.\"a b\"]\n" + inline:                                                                               `shelfd.toml:1:2: accounts.a b: "a b" is empty or has spaces`,
		"trusted_user_ca_keys = \"nowhere\"\n[accounts.ana]\n" + inline:                                               "shelfd.toml:1:1: trusted_user_ca_keys: open ",
		"[libraries.a]\npath = \"a\"\n[libraries.b]\npath = \"a/b\"\n[accounts.ana]\nlibrary = \"a\"\n" + inline:      "One library is in another: ",
		"[accounts.ana]\nfrom = [\"192.0.2.0/33\"]\n" + inline:                                                        `shelfd.toml:2:1: accounts.ana.from: "192.0.2.0/33" is not a network such as 192.0.2.0/24`,
		"user = \"ana\"\nauthorized_keys_file = \"k/%u\"\n":                                                           "user: it names the account of a server that has no others; here the files of authorized_keys_file name them",
		"[libraries.a]\npath = \"a/%u\"\n[libraries.b]\npath = \"a/x/y\"\n[accounts.ana]\nlibrary = \"a\"\n" + inline: "One library is in another: ",
		two + "[accounts.ana]\nlibrary = \"in\"\nlibraries = { in = [] }\n" + inline:                                  "shelfd.toml:6:1: accounts.ana.library: library and libraries cannot both be set",
		two + "[accounts.ana]\npermissions = []\nlibraries = { in = [] }\n" + inline:                                  "shelfd.toml:6:1: accounts.ana.permissions: each of several libraries has its own",
		two + "[accounts.ana]\nlibraries = { on = [] }\n" + inline:                                                    `shelfd.toml:6:15: accounts.ana.libraries.on: there is no library "on"; there are in, out`,
		two + "[accounts.ana]\nlibraries = { in = [\"fly\"] }\n" + inline:                                             `there is no permission "fly"`,
		two + "[accounts.ana]\nlibraries = { in = [] }\nstart_directory = \"/out\"\n" + inline:                        `shelfd.toml:7:1: accounts.ana.start_directory: "/out" is none of its libraries; these are in`,
		two + "[accounts.ana]\nlibrary = \"in\"\nstart_directory = \"in\"\n" + inline:                                 "an account with one library has no folders",
		"library_roots = [\"r\"]\naudit_log = \"r/log\"\n[accounts.ana]\n" + inline:                                   "A folder for libraries is not safe to use",
		"file_mode = \"0444\"\n":                                                                                      "mode 0444 is not enough",
		"file_mode = \"4755\"\n":                                                                                      "\"4755\" is not a mode",
		"audit_log = \"library/log\"\nlibrary = \"library\"\n[accounts.ana]\n" + inline:                               "shelfd.toml:1:1: The library is not safe",
	} {
		s, err := load(t, toml)
		if err == nil {
			if err = new(apart).check(s); err == nil {
				_, wrong, fatal := (&accounts{}).build(s)
				err = errors.Join(wrong.all(), fatal)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", toml, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret\"") {
			t.Errorf("%q: a secret is told: %v", toml, err)
		}
	}
}
