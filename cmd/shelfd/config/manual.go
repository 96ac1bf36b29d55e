package config

import (
	"fmt"
	"strings"
)

// Manual is a manual page of the configuration file, in the form of Markdown that
// go-md2man makes pages of. It says of each setting what its declaration does.
func Manual() string {
	var b strings.Builder
	b.WriteString(`shelfd.toml 5 "" "Shelf" "Shelf"
===

# NAME

shelfd.toml - settings of shelfd

# DESCRIPTION

**shelfd serve --config** *FILE* reads its settings from a file in TOML. Everything has a default, so that the file may be
empty. **shelfd check --config** *FILE* finds mistakes, with line and column, and shows what is in effect. A server that
runs reads the file again at SIGHUP.

Sizes are bytes, or text with a unit: 4096, "500MB", "10GiB". Times are seconds, or text with a unit: 30, "30s", "2h". Paths
start from the folder of the file; "~/" is the home of who starts the server.

`)
	table := "-"
	for _, s := range All() {
		within, name := "", s.Name
		if i := strings.LastIndexByte(s.Name, '.'); i >= 0 {
			within, name = s.Name[:i], s.Name[i+1:]
		}
		if within != table {
			table = within
			fmt.Fprintf(&b, "# %s\n\n", headingOf(table))
		}
		fmt.Fprintf(&b, "**%s**\n: %s\n\n", name, s.explain())
	}
	b.WriteString(`# EXAMPLES

A server with one folder, and an account for each file in the folder *keys*:

    authorized_keys_file = "keys/%u"

    [libraries.default]
    path = "/srv/shelf/default"

An account with a password, that can only put files, from one network:

    [accounts.scanner]
    password_hash = "$argon2id$..."
    permissions = ["dropbox"]
    from = ["192.0.2.0/24"]

# FILES

*/etc/shelf/shelfd.toml* is where packages have it. *shelfd.toml* in the folder of examples of the documentation has every
setting.

# SEE ALSO

shelfd(8), shelfd-check(8)
`)
	return b.String()
}

func headingOf(table string) string {
	switch table {
	case "":
		return "SETTINGS"
	case deliverTable:
		return "SETTINGS IN [[DELIVER]]"
	}
	return "SETTINGS IN [" + strings.ToUpper(strings.TrimSuffix(table, ".NAME")) + strings.TrimPrefix(table, strings.TrimSuffix(table, ".NAME")) + "]"
}

// explain is what a setting is, how it is written, and what counts without it.
func (s Setting) explain() string {
	text := strings.ToUpper(s.Doc[:1]) + s.Doc[1:] + ". Written as " + s.Form + "."
	switch {
	case s.Default != "":
		text += " The default is " + s.Default + "."
	case s.Unset != "":
		text += " Without it: " + s.Unset + "."
	}
	return text
}
