package tests

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// The reference of the settings, and the sample of a configuration file.
const (
	reference = top + "/docs/settings.md"
	sample    = top + "/contrib/shelfd.toml"
)

// TestSettingsAreDocumented compares the reference and the sample with the
// configuration file that the server reads. Settings have their names with a
// dot after the table, and NAME for that of an account or library.
func TestSettingsAreDocumented(t *testing.T) {
	var documented []string
	for _, s := range documentedSettings(t) {
		documented = append(documented, s.name)
	}
	known := knownSettings(t)
	for what, names := range map[string][]string{"the reference": documented, "the sample": sampleSettings(t)} {
		for _, name := range known {
			if !slices.Contains(names, name) {
				t.Errorf("%s does not have %s", what, name)
			}
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s has %s, which is not a setting", what, name)
			}
		}
	}
}

// TestManualPageHasEverySetting reads the manual page that the server writes of its
// configuration file.
func TestManualPageHasEverySetting(t *testing.T) {
	page, err := exec.Command("shelfd", "man", "shelfd.toml").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range knownSettings(t) {
		name = name[strings.LastIndexByte(name, '.')+1:]
		if !strings.Contains(string(page), "\n\\fB"+name+"\\fP\n") {
			t.Errorf("the manual page does not have %s", name)
		}
	}
}

// TestDocumentedDefaults compares the defaults of the reference with those that
// the server shows. What depends on who starts it is in words there.
func TestDocumentedDefaults(t *testing.T) {
	at := newSettingsFolder(t)
	shown := make(map[string]any)
	if err := toml.Unmarshal(at.check(t, `authorized_keys_file = "keys/%u"`+"\nlibrary = \"library\"\n"), &shown); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, s := range documentedSettings(t) {
		value, ok := shown[s.name]
		if table, name, in := strings.Cut(s.name, "."); in {
			inner, _ := shown[table].(map[string]any)
			value, ok = inner[name]
		}
		if !ok || slices.Contains([]string{"state", "admin_socket", "library", "user", "authorized_keys_file"}, s.name) {
			continue
		}
		compared++
		if got := shownValue(value); got != s.wantDefault(t) {
			t.Errorf("the default of %s is %s, and in the reference %s", s.name, got, s.byDefault)
		}
	}
	if compared < 30 {
		t.Errorf("only %d defaults were compared", compared)
	}
}

// TestDocumentedExamples has the server check the examples of the reference, all
// that go together in one file.
func TestDocumentedExamples(t *testing.T) {
	at := newSettingsFolder(t)
	lines := make(map[string]string) // by table
	inBucket := false                // from the first setting of a library in a bucket on
	for _, s := range documentedSettings(t) {
		inBucket = strings.HasPrefix(s.name, "libraries.") && (inBucket || s.key == "bucket")
		if !strings.HasPrefix(s.example, s.key+" = ") {
			t.Errorf("the example of %s does not set it: %s", s.name, s.example)
		}
		table := strings.TrimSuffix(s.name, s.key)
		switch {
		case slices.Contains([]string{"library", "user", "authorized_keys_file"}, s.name):
			table = s.name // for one library or account, or for many
		case s.name == "deliver.command":
			continue // in the place of a URL
		case slices.Contains([]string{"file_accounts.library", "file_accounts.permissions", "accounts.NAME.library", "accounts.NAME.permissions"}, s.name):
			table += "one" // for one library of the account, or for several
		case inBucket:
			table += "bucket"
		}
		// Folders of the host are not there: those of the test stand in.
		lines[table] += strings.ReplaceAll(s.example, `"/`, `"`+at.dir+"/") + "\n"
	}
	const keys, library = "authorized_keys_file = \"keys/ada\"\n", "library = \"library\"\n"
	at.check(t, keys+lines["library"]+lines["user"])
	at.check(t, library+lines["authorized_keys_file"]+lines[""]+"[per_source_penalties]\n"+lines["per_source_penalties."]+"[account_limits]\n"+lines["account_limits."])
	at.check(t, keys+library+"audit_log = \"audit\"\n[[deliver]]\n"+lines["deliver."])
	at.check(t, keys+library+"audit_log = \"audit\"\n[[deliver]]\nname = \"command\"\ncommand = [\"/bin/true\"]\n")
	const several = "[libraries.in]\npath = \"inbox\"\n[libraries.out]\npath = \"library\"\n"
	for _, form := range []string{"one", ""} {
		folders, account := several, lines["accounts.NAME."+form]
		if form == "one" {
			folders, account = "[libraries.inbox]\npath = \"inbox\"\n", keys+account
		}
		at.check(t, "authorized_keys_file = \"keys/%u\"\n"+folders+"[file_accounts]\n"+lines["file_accounts."+form])
		at.check(t, folders+"[libraries.default]\n"+lines["libraries.NAME."]+"[accounts.ada]\n"+account)
	}
}

// TestFlagsAreDocumented compares the flags in the reference with those there are.
func TestFlagsAreDocumented(t *testing.T) {
	text := readText(t, reference)
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)").FindAllStringSubmatch(text, -1) {
		documented[m[1]] = true
	}
	for _, command := range []string{"serve", "check"} {
		help, err := exec.Command("shelfd", command, "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		flags := make(map[string]bool)
		for _, m := range regexp.MustCompile(`(?m)^ +(?:-., )?--([a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
			flags[m[1]] = m[1] != "help"
		}
		delete(flags, "help")
		if !maps.Equal(flags, documented) {
			t.Errorf("%s has the flags %v, and the reference %v", command, slices.Sorted(maps.Keys(flags)), slices.Sorted(maps.Keys(documented)))
		}
	}
}

// documentedSetting is a row of the reference.
type documentedSetting struct {
	name      string // with its table
	key       string // without
	byDefault string
	example   string
}

// documentedSettings are the rows of the reference: setting, unit, default,
// meaning, example. A heading of a table in brackets begins those of the table.
func documentedSettings(t *testing.T) (all []documentedSetting) {
	t.Helper()
	table, in := "", false
	for line := range strings.Lines(readText(t, reference)) {
		if heading, is := strings.CutPrefix(line, "#"); is {
			if m := regexp.MustCompile("`\\[+([^\\]]*)\\]+`").FindStringSubmatch(heading); m != nil {
				table = m[1] + "."
			}
		}
		if !strings.HasPrefix(line, "|") {
			in = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if cells[0] == "setting" {
			in = true
			continue
		}
		if !in || strings.HasPrefix(line, "|---") {
			continue
		}
		if len(cells) != 5 {
			t.Fatalf("a row of the reference has %d cells: %s", len(cells), line)
		}
		key := strings.Trim(cells[0], "`")
		all = append(all, documentedSetting{table + key, key, cells[2], strings.Trim(cells[4], "`")})
	}
	return all
}

// wantDefault is the default as shownValue has it; words say that there is none.
func (s documentedSetting) wantDefault(t *testing.T) string {
	t.Helper()
	if !strings.HasPrefix(s.byDefault, "`") {
		return "none"
	}
	var parsed struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+strings.Trim(s.byDefault, "`")), &parsed); err != nil {
		t.Errorf("the default of %s is no value of TOML: %v", s.name, err)
	}
	return shownValue(parsed.V)
}

// shownValue is a value as text, the same for all ways to write a time.
func shownValue(value any) string {
	text := fmt.Sprint(value)
	if d, err := time.ParseDuration(text); err == nil && text != "0" {
		return d.String()
	}
	if text == "" || text == "[]" {
		return "none"
	}
	return text
}

// settingsFolder is a folder with the files that examples name.
type settingsFolder struct{ dir string }

func newSettingsFolder(t *testing.T) settingsFolder {
	t.Helper()
	at := settingsFolder{t.TempDir()}
	for _, folder := range []string{"keys", "library", "inbox", "srv/files", "srv/partners", "var/log", "run/shelf"} {
		if err := os.MkdirAll(filepath.Join(at.dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	succeed(t, exec.Command("shelfd", "keygen", filepath.Join(at.dir, "key")))
	public := readText(t, filepath.Join(at.dir, "key.pub"))
	for _, file := range []string{"keys/ada", "user_ca.pub", "revoked_keys"} {
		at.write(t, file, public)
	}
	certificate, key := selfSigned(t)
	for file, text := range map[string]string{
		"invoices.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "invoices.key": readText(t, filepath.Join(at.dir, "key")),
		"hooks-ca.pem": certificate, "hooks-client.pem": certificate, "hooks-client.key": key,
	} {
		at.write(t, file, text)
	}
	return at
}

// selfSigned is a certificate for 127.0.0.1 and its key, in PEM.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	text, err := x509.CreateCertificate(rand.Reader, of, of, public, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func (f settingsFolder) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// check has the server check a configuration, and returns what it shows.
func (f settingsFolder) check(t *testing.T, configuration string) []byte {
	t.Helper()
	f.write(t, "shelfd.toml", configuration)
	cmd := exec.Command("shelfd", "check", "--config", filepath.Join(f.dir, "shelfd.toml"))
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "XDG_STATE_HOME="+filepath.Join(f.dir, "state"))
	shown, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if e, ok := err.(*exec.ExitError); ok {
			stderr = e.Stderr
		}
		t.Errorf("%v\n%s%s", err, configuration, stderr)
	}
	return shown
}

// sampleSettings are those that the sample sets or shows commented out.
func sampleSettings(t *testing.T) (names []string) {
	t.Helper()
	table := ""
	tables, settings := regexp.MustCompile(`^#?\[+([a-z_]+)(\.\w+)?(\.\w+)?\]`), regexp.MustCompile(`^#?([a-z_0-9]+) = `)
	for line := range strings.Lines(readText(t, sample)) {
		if m := tables.FindStringSubmatch(line); m != nil {
			table = m[1] + "."
			if m[2] != "" {
				table += "NAME."
			}
			if m[3] != "" {
				table += m[3][1:] + "."
			}
		}
		if m := settings.FindStringSubmatch(line); m != nil {
			names = append(names, table+m[1])
		}
	}
	return names
}

// knownSettings are those of the server, read from its source: the struct that
// go-toml decodes the file into is the one that has the setting "listen".
func knownSettings(t *testing.T) []string {
	t.Helper()
	structs := tomlStructs(t)
	var settings []*ast.StructType
	for _, s := range structs {
		if slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return tomlName(f) == "listen" }) {
			settings = append(settings, s)
		}
	}
	if len(settings) != 1 {
		t.Fatalf("there are %d structs of the settings", len(settings))
	}
	return settingsIn(structs, settings[0], "")
}

// settingsIn are the settings in a table, and in those within it.
func settingsIn(structs map[string]*ast.StructType, table *ast.StructType, prefix string) (names []string) {
	for _, f := range table.Fields.List {
		name := tomlName(f)
		if name == "" {
			continue
		}
		typ := f.Type
		inner := prefix + name + "."
		switch several := typ.(type) {
		case *ast.MapType:
			typ, inner = several.Value, inner+"NAME."
		case *ast.ArrayType:
			typ = several.Elt
		}
		if s := structs[typeName(typ)]; s != nil {
			names = append(names, settingsIn(structs, s, inner)...)
		} else {
			names = append(names, prefix+name)
		}
	}
	return names
}

// tomlStructs are the structs of the server that have settings in them.
func tomlStructs(t *testing.T) map[string]*ast.StructType {
	t.Helper()
	structs := make(map[string]*ast.StructType)
	err := filepath.WalkDir(top+"/cmd/shelfd", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok && slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return tomlName(f) != "" }) {
				structs[spec.Name.Name] = s
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return structs
}

// tomlName is the name of the setting in a field, "" for none.
func tomlName(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("toml"), ",")
	return strings.TrimPrefix(name, "-") // "-" is that the field is not in the file
}

// typeName is the name of a type, without a package or pointer before it.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
