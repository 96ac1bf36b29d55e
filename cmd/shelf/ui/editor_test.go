package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/term"
)

// tab presses Tab at the end of a line, and gives the line.
func (e *Editor) tab(line string) string {
	if now, _, ok := e.key(line, len(line), '\t'); ok {
		return now
	}
	return line
}

// What two names have in common may end in a space, which is escaped: the next Tab
// lists both, and the line can be sent.
func TestTabUpToSpace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"sp one.txt", "sp two.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var screen bytes.Buffer
	e := &Editor{terminal: term.NewTerminal(&keys{Reader: strings.NewReader(""), Writer: &screen}, "")}
	e.complete = func(line string) Completion {
		_, c := Before(line)
		c.Words = LocalPaths(c.Typed, false)
		return c
	}
	line := e.tab("put " + dir + "/sp")
	if line != "put "+dir+`/sp\ ` {
		t.Fatalf("the line is %q", line)
	}
	if e.tab(line) != line || !strings.Contains(screen.String(), "sp one.txt") || !strings.Contains(screen.String(), "sp two.txt") {
		t.Errorf("the second Tab shows %q", &screen)
	}
}
