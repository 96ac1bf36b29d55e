package install

import (
	"encoding/json"
	"fmt"
	"strings"
)

// librariesFolder is where libraries are by default. It is for nothing else, so that the
// server may change all below it.
const librariesFolder = "/srv/shelf"

// answers are what a first configuration is made of.
type answers struct {
	config  string // path of the configuration
	library string // path of the folder to serve
	listen  string // address:port
	state   string // path of the state folder
	audit   string // path of the audit log; "" is none
}

// systemAnswers are those of a package.
func systemAnswers() answers {
	return answers{
		config: systemConfig, library: librariesFolder + "/default", listen: ":2222", state: "/var/lib/shelf", audit: "/var/log/shelf/audit.jsonl",
	}
}

// text is the configuration. That of systemAnswers is contrib/package/shelfd.toml.
func (a answers) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Settings of shelfd. "man shelfd.toml" explains all that there are.
# After a change:
#
#   shelfd check --config %s
#   %s

listen = %s
state = %s
`, a.config, reload(a.config), quote(a.listen), quote(a.state))
	if a.audit != "" {
		fmt.Fprintf(&b, "audit_log = %s\naudit_mode = \"0640\"                 # the group reads it, as shelfd-deliver\n", quote(a.audit))
	}
	if strings.HasPrefix(a.library, librariesFolder+"/") {
		fmt.Fprintf(&b, "library_roots = [%s]      # new libraries below it need no restart\n", quote(librariesFolder))
	}
	fmt.Fprintf(&b, `
# A file in this folder makes an account of its name: shelfd add NAME KEY
authorized_keys_file = "keys/%%u"

[libraries.default]
path = %s
min_free_space = "1GiB"             # is left free on the disk
`, quote(a.library))
	return b.String()
}

// reload is the command that has a server read its configuration again.
func reload(config string) string {
	if config == systemConfig {
		return "systemctl reload shelfd"
	}
	return "shelfd reload --config " + config
}

// quote writes a string of TOML. That of JSON is one.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // no string can't be written
	}
	return string(text)
}
