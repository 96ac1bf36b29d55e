package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRunbookQuotesTheServer wants each message in the runbook, in a table of what
// the server says, to be one of the server's.
func TestRunbookQuotesTheServer(t *testing.T) {
	var source strings.Builder
	for _, dir := range []string{"cmd/shelfd", "sshd", "keys", "vfs"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	quoted := 0
	for section := range strings.SplitSeq(readText(t, top+"/docs/runbook.md"), "\n## ") {
		if !regexp.MustCompile(`^(The server does not start|A transfer fails|The log says)\n`).MatchString(section) {
			continue
		}
		for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*) \|`).FindAllStringSubmatch(section, -1) {
			for _, code := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[1], -1) {
				quoted++
				if !strings.Contains(source.String(), code[1]) {
					t.Errorf("the server does not say %q", code[1])
				}
			}
		}
	}
	if quoted < 25 {
		t.Errorf("only %d messages were found", quoted)
	}
}
