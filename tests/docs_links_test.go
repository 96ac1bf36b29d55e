package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// top is the top of the repository, from here.
const top = ".."

// TestDocLinks has every relative link of the documents lead to a file that is
// there, and to a heading in it.
func TestDocLinks(t *testing.T) {
	checked := 0
	for _, file := range documents(t) {
		for _, link := range links(readText(t, file)) {
			if strings.Contains(link, "://") {
				continue
			}
			checked++
			path, anchor, _ := strings.Cut(link, "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", file, link)
			} else if anchor != "" && !headings(readText(t, target))[anchor] {
				t.Errorf("%s: the link %s leads to no heading of %s", file, link, target)
			}
		}
	}
	if checked == 0 {
		t.Error("no link was found")
	}
}

// documents are all files of Markdown, but not those of others.
func documents(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != top && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// links are where the links in a text lead to; what is shown as code has none.
func links(text string) (targets []string) {
	code := regexp.MustCompile("(?s)```.*?```|(?m)^    .*$")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// headings are the anchors of a text's headings, as GitHub makes them.
func headings(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchors[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	}
	return anchors
}
