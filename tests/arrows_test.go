package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// arrows says which package of the module may import which others: the design,
// in ARCHITECTURE.md, in the one place where it is enforced. A package's tests
// may import the package, what it may import, and what is below those.
var arrows = map[string][]string{
	"cmd/shelfd":             {"cmd/shelfd/admin", "cmd/shelfd/arguments", "cmd/shelfd/audit", "cmd/shelfd/config", "cmd/shelfd/confine", "cmd/shelfd/credentials", "cmd/shelfd/deliver", "cmd/shelfd/gatekeeper", "cmd/shelfd/gates", "cmd/shelfd/held", "cmd/shelfd/install", "cmd/shelfd/library", "cmd/shelfd/logging", "cmd/shelfd/metrics", "cmd/shelfd/migrate", "cmd/shelfd/notify", "cmd/shelfd/operate", "cmd/shelfd/page", "cmd/shelfd/quarantine", "cmd/shelfd/receipt", "cmd/shelfd/recovery", "cmd/shelfd/scanner", "cmd/shelfd/supervise", "cmd/shelfd/tuning", "sshd", "sshd/budget", "sshd/sftp", "vfs/access", "vfs/local", "vfs", "keys", "keys/protected"},
	"cmd/shelfd/admin":       {"cmd/shelfd/socket"},
	"cmd/shelfd/arguments":   {},
	"cmd/shelfd/audit":       {"cmd/shelfd/arguments", "cmd/shelfd/config", "sshd", "vfs", "keys", "keys/sshsig"},
	"cmd/shelfd/logging":     {"cmd/shelfd/audit", "cmd/shelfd/config", "sshd", "vfs"},
	"cmd/shelfd/metrics":     {"cmd/shelfd/admin", "sshd", "vfs"},
	"cmd/shelfd/migrate":     {"cmd/shelfd/arguments", "cmd/shelfd/config", "cmd/shelfd/library", "cmd/shelfd/logging", "vfs", "keys"},
	"cmd/shelfd/notify":      {},
	"cmd/shelfd/operate":     {"cmd/shelfd/admin", "cmd/shelfd/arguments", "cmd/shelfd/config", "vfs"},
	"cmd/shelfd/page":        {"cmd/shelfd/admin", "sshd", "vfs"},
	"cmd/shelfd/socket":      {},
	"cmd/shelfd/supervise":   {"cmd/shelfd/admin", "cmd/shelfd/arguments", "cmd/shelfd/config", "cmd/shelfd/logging"},
	"cmd/shelfd/receipt":     {"cmd/shelfd/audit", "keys/sshsig", "vfs/access", "vfs"},
	"cmd/shelfd/recovery":    {"cmd/shelfd/audit", "cmd/shelfd/config", "cmd/shelfd/library", "vfs"},
	"cmd/shelfd/credentials": {"cmd/shelfd/arguments", "cmd/shelfd/config", "keys"},
	"cmd/shelfd/library":     {"cmd/shelfd/config", "vfs/bucket", "vfs/local", "vfs/local/digests", "vfs", "keys"},
	"cmd/shelfd/gatekeeper":  {"cmd/shelfd/arguments", "cmd/shelfd/config", "cmd/shelfd/logging", "cmd/shelfd/socket", "vfs/gate", "vfs"},
	"cmd/shelfd/gates":       {"cmd/shelfd/config", "cmd/shelfd/held", "cmd/shelfd/quarantine", "cmd/shelfd/scanner", "sshd/budget", "vfs/access", "vfs/gate", "vfs"},
	"cmd/shelfd/held":        {"cmd/shelfd/quarantine", "sshd", "vfs/access", "vfs"},
	"cmd/shelfd/quarantine":  {"vfs", "vfs/local/filelock"},
	"cmd/shelfd/scanner":     {"cmd/shelfd/confine", "vfs/gate", "vfs"},
	"cmd/shelfd/tuning":      {},
	"cmd/shelfd/install":     {"cmd/shelfd/arguments", "cmd/shelfd/config", "keys"},
	"cmd/shelfd/confine":     {},
	"cmd/shelfd/config":      {}, // what can be set, and not what it means to the others

	// A process of its own.
	"cmd/shelfd/deliver":         {"cmd/shelfd/admin", "cmd/shelfd/arguments", "cmd/shelfd/audit", "cmd/shelfd/config", "cmd/shelfd/deliver/tail", "cmd/shelfd/deliver/webhook", "cmd/shelfd/logging", "cmd/shelfd/notify", "vfs"},
	"cmd/shelfd/deliver/tail":    {"cmd/shelfd/audit"},
	"cmd/shelfd/deliver/webhook": {},

	// A client of the protocol, and not of the server's code.
	"cmd/shelf":          {"cmd/shelf/connect", "cmd/shelf/receipt", "cmd/shelf/sftp", "cmd/shelf/transfer", "cmd/shelf/ui"},
	"cmd/shelf/connect":  {},
	"cmd/shelf/sftp":     {},
	"cmd/shelf/receipt":  {},
	"cmd/shelf/transfer": {"cmd/shelf/receipt", "cmd/shelf/sftp"},
	"cmd/shelf/ui":       {},
	"sshd":               {"sshd/backlog", "sshd/budget", "sshd/slots", "sshd/window", "sshd/wire", "sshd/sftp", "sshd/command", "vfs/access", "vfs", "keys"},
	"sshd/backlog":       {"sshd/budget"},
	"sshd/budget":        {},
	"sshd/slots":         {},
	"sshd/window":        {},
	"sshd/wire":          {"sshd/backlog"},
	"sshd/sftp":          {"sshd/budget", "vfs/access", "vfs"},
	"sshd/command":       {"sshd/budget", "vfs/access", "vfs"},
	"vfs":                {},
	"vfs/access":         {"vfs"},
	"vfs/gate":           {"vfs"},
	"vfs/spool":          {"vfs"},
	"vfs/local":          {"vfs/local/digests", "vfs/local/dirfd", "vfs/local/filelock", "vfs/local/history", "vfs/local/quota", "vfs/spool", "vfs"},
	"vfs/local/digests":  {"vfs/local/dirfd", "vfs"},
	"vfs/local/dirfd":    {},
	"vfs/local/filelock": {"vfs"},
	"vfs/local/history":  {"vfs/local/dirfd"},
	"vfs/local/quota":    {"vfs"},
	"vfs/bucket":         {"vfs/bucket/history", "vfs/bucket/ledger", "vfs/spool", "vfs"},
	"vfs/bucket/history": {},
	"vfs/bucket/ledger":  {"vfs"},
	"vfs/vfstest":        {"vfs"},
	"keys":               {"keys/protected"},
	"keys/protected":     {},
	"keys/sshsig":        {},
	"contrib/release":    {}, // packs the built programs
	"tests":              {}, // judges the built programs
	"tests/bench":        {}, // and measures them
	"tests/objectstore":  {}, // a store for them
	"tests/powercut":     {}, // a file system for them
}

// forTests may be imported by all tests, and by nothing else.
const forTests = "tests/objectstore"

// vague are names that say nothing about what a package is for.
var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib", "base", "internal"}

// module is the path of the module; its packages are below it.
const module = "shelf"

type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string // of the package's own tests
	XTestImports []string // of tests in a package of their own
}

func TestArrows(t *testing.T) {
	for _, p := range listPackages(t) {
		name := relative(p.ImportPath)
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s is not in the design", name)
			continue
		}
		for _, to := range ours(p.Imports) {
			if !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, which the design does not allow", name, to)
			}
		}
		for _, to := range ours(slices.Concat(p.TestImports, p.XTestImports)) {
			if !slices.ContainsFunc(append(allowed, name, forTests), func(a string) bool { return within(to, a) }) {
				t.Errorf("a test of %s imports %s, which the design does not allow", name, to)
			}
		}
	}
}

func TestPackageNamesSaySomething(t *testing.T) {
	for _, p := range listPackages(t) {
		for word := range strings.SplitSeq(relative(p.ImportPath), "/") {
			if slices.Contains(vague, word) {
				t.Errorf("%s: %q says nothing about what is in it", p.ImportPath, word)
			}
		}
	}
}

// ours keeps the imports that are packages of the module.
func ours(imports []string) []string {
	var own []string
	for _, to := range imports {
		if strings.HasPrefix(to, module+"/") {
			own = append(own, relative(to))
		}
	}
	return own
}

// within tells whether a package is parent or below it.
func within(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

func relative(importPath string) string {
	return strings.TrimPrefix(importPath, module+"/")
}

// listPackages asks the go command for every package of the module.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", path.Join(module, "...")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("go list found no package")
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
