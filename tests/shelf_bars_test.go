package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShelfBarOfAll moves six files, four at a time: the bar for all knows from
// the start how much that is, those included that have not begun.
func TestShelfBarOfAll(t *testing.T) {
	s, folder := serve(t), t.TempDir()
	var names []string
	for i := range 6 {
		name := fmt.Sprintf("file-%d", i)
		if err := os.WriteFile(filepath.Join(folder, name), content(uint64(i), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		s.put(t, "there-"+name, content(uint64(i), 1<<20))
		names = append(names, "there-"+name)
	}
	p := visitor(t, s, folder)
	for _, line := range []string{"put --limit 64K file-*", "get --limit 64K there-*", "get --limit 64K " + strings.Join(names, " ")} {
		p.types(line + enter)
		p.sees(`all 6 files +[0-9.]+ .i?B / 6\.0 MiB`)
		p.types(ctrlC)
		p.sees(`interrupted`)
		p.prompt()
	}
	p.types("quit" + enter)
	p.ends()
}
