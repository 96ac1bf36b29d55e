package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDependenciesAreDocumented compares the table of dependencies with the modules
// that are built into the programs, and the licences in it with theirs.
func TestDependenciesAreDocumented(t *testing.T) {
	licences := make(map[string]string)
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| [0-9]+ \\| ([A-Za-z0-9.-]+) \\| [^|]+ \\|$")
	for _, m := range row.FindAllStringSubmatch(readText(t, top+"/docs/dependencies.md"), -1) {
		licences[m[1]] = m[2]
	}
	built := make(map[string]bool)
	// Some systems take modules that others do not.
	for _, system := range []string{"linux", "darwin", "freebsd", "windows"} {
		programs := []string{"../cmd/shelf", "../cmd/shelfd"}
		if system == "windows" {
			programs = programs[:1]
		}
		cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}"}, programs...)...)
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			module, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
			if module == "" || built[module] {
				continue
			}
			built[module] = true
			row := module
			for name := range licences {
				if family, is := strings.CutSuffix(name, "/..."); is && (module == family || strings.HasPrefix(module, family+"/")) {
					row = name
				}
			}
			built[row] = true
			switch licence := licenceIn(t, module, dir); licence {
			case "":
				t.Errorf("%s has no licence that we take, or none that is known here: take another module", module)
			case licences[row]:
			default:
				t.Errorf("%s has the licence %s, and in the table %q", module, licence, licences[row])
			}
		}
	}
	for module := range licences {
		if !built[module] {
			t.Errorf("%s is in the table, and in no program", module)
		}
	}
}

// eitherOf are modules that may be taken under a licence that we take, or another one.
var eitherOf = []string{"kernel.org/pub/linux/libs/security/libcap/psx"}

// licenceIn tells which of the licences that we take a module has, by its text; "" is
// none of them. One that asks for the source of what it is built into is not taken.
func licenceIn(t *testing.T, module, dir string) string {
	t.Helper()
	is := ""
	files, _ := filepath.Glob(filepath.Join(dir, "*[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]*"))
	copying, _ := filepath.Glob(filepath.Join(dir, "COPYING*"))
	files = append(copying, files...)
	for _, file := range files {
		text := strings.ToLower(strings.Join(strings.Fields(readText(t, file)), " "))
		has := func(phrase string) bool { return strings.Contains(text, phrase) }
		switch {
		case has("general public license") && !slices.Contains(eitherOf, module), has("mozilla public license"):
			return ""
		case is != "": // the first file tells
		case has("apache license version 2.0"):
			is = "Apache-2.0"
		case has("permission is hereby granted, free of charge"):
			is = "MIT"
		case has("redistribution and use in source and binary forms") && has("endorse or promote"):
			is = "BSD-3-Clause"
		case has("redistribution and use in source and binary forms"):
			is = "BSD-2-Clause"
		case has("free and unencumbered software released into the public domain"):
			is = "Unlicense"
		}
	}
	return is
}
