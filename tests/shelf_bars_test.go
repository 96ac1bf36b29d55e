package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
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

// TestShelfNarrowBars has 40 columns: each bar has the time that is left in them, and
// the bar of a file that is done goes.
func TestShelfNarrowBars(t *testing.T) {
	s, folder := serve(t), t.TempDir()
	for name, size := range map[string]int64{"small": 20 << 10, "a long name that is cut off.bin": 6 << 20} {
		if err := os.WriteFile(filepath.Join(folder, name), content(5, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := shelfCommand(s, "put", "--limit", "64K", "small", "a long name that is cut off.bin")
	cmd.Dir = folder
	p := sitAt(t, cmd, 40)
	p.sees(`put small: 20\.0 KiB`)
	p.sees(`all 2 files .*\d\d:\d\d\s`) // it may have been in the making then
	from := p.read
	p.sees(`a long name… +\d+% .*KiB/s \d\d:\d\d\s`)
	p.sees(`all 2 files +\d+% .*KiB/s \d\d:\d\d\s`)
	later := p.screen.String()[from:p.read]
	if strings.Contains(later, "small") {
		t.Errorf("the bar of a file that is done is drawn: %q", later)
	}
	for line := range strings.Lines(later) {
		if line = colours.ReplaceAllString(strings.TrimRight(line, "\r\n"), ""); utf8.RuneCountInString(line) > 40 {
			t.Errorf("a line of %d columns: %q", utf8.RuneCountInString(line), line)
		}
	}
	p.types(ctrlC)
	p.sees(`interrupted`)
}

// colours is what moves the cursor, and colours.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]|\r")
