package tests

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxFiles is how many files of code are still one idea.
const maxFiles = 25

// TestPackagesAreSmallAndTellTheirFiles holds each package to one idea: it has
// few files, and its comment says what each of them is for, so that a stranger
// finds the right one.
func TestPackagesAreSmallAndTellTheirFiles(t *testing.T) {
	variant := regexp.MustCompile(`_(linux|darwin|freebsd|windows|bsd|unix|other)\.go$`)
	for _, p := range listPackages(t) {
		dir := filepath.Join(top, filepath.FromSlash(relative(p.ImportPath)))
		comment, files := packageComment(t, dir)
		// A file that exists once more for another system counts once.
		roles := make(map[string]bool)
		for _, f := range files {
			roles[variant.ReplaceAllString(f, ".go")] = true
		}
		if len(roles) > maxFiles {
			t.Errorf("%s has %d files of code: is it still one idea?", p.ImportPath, len(roles))
		}
		if comment == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		if len(files) == 1 {
			continue
		}
		for _, f := range files {
			// Such as sandbox_*.go for all variants of one file.
			base := variant.ReplaceAllString(f, "")
			base = strings.TrimSuffix(base, ".go")
			if f == "doc.go" || strings.Contains(comment, base+"_*.go") || strings.Contains(comment, base+"*.go") {
				continue
			}
			if !regexp.MustCompile(`(^|[\s,(])` + regexp.QuoteMeta(f) + `\b`).MatchString(comment) {
				t.Errorf("the package comment of %s does not say what %s is for", p.ImportPath, f)
			}
		}
	}
}

// TestLogsEscapeWhatStrangersSay: slog's own handlers let some control characters
// through to the terminal of who reads the log. Only the package that escapes them may
// make one.
func TestLogsEscapeWhatStrangersSay(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.ImportPath == module+"/cmd/shelfd/logging" {
			continue
		}
		dir := filepath.Join(top, filepath.FromSlash(relative(p.ImportPath)))
		_, files := packageComment(t, dir)
		for _, f := range files {
			if text := readText(t, filepath.Join(dir, f)); strings.Contains(text, "slog.NewTextHandler(") || strings.Contains(text, "slog.NewJSONHandler(") {
				t.Errorf("%s of %s makes a log that does not escape: take logging.New", f, p.ImportPath)
			}
		}
	}
}

// packageComment is what a package says of itself, and its files of code.
func packageComment(t *testing.T, dir string) (comment string, files []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		files = append(files, name)
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			comment += f.Doc.Text()
		}
	}
	slices.Sort(files)
	return comment, files
}
