package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// visitor starts shelf in a folder that is also the person's home.
func visitor(t *testing.T, s *server, folder string, env ...string) *typist {
	t.Helper()
	cmd := shelfCommand(s)
	cmd.Dir = folder
	cmd.Env = append(append(os.Environ(), "HOME="+folder, "XDG_STATE_HOME="+filepath.Join(folder, "state"), "TERM=xterm"), env...)
	p := sit(t, cmd)
	p.prompt()
	return p
}

// never fails the test if the screen has shown a text.
func (p *typist) never(text string) {
	p.t.Helper()
	if strings.Contains(p.screen.String(), text) {
		p.t.Errorf("the screen has shown %q", text)
	}
}

// TestShelfKeys presses the keys that do more than type: none of them ends the
// prompt but Ctrl-D on an empty line.
func TestShelfKeys(t *testing.T) {
	s, folder := serve(t), t.TempDir()
	for _, dir := range []string{"inbox", "Downloads"} {
		if err := os.Mkdir(filepath.Join(folder, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"input", "Downloads/summer (1).jpg"} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.put(t, "report.pdf", []byte("report"))
	p := visitor(t, s, folder)
	p.types(ctrlC)
	p.says("", `\n`) // an empty line says nothing
	p.says("no such command"+ctrlC+"space", `free of`)
	p.types("help ren" + tab)
	p.sees(`help rename `)
	p.says("", `give a file another name`)
	// Only folders may follow to; both may follow put.
	p.types("get re" + tab + "to in" + tab)
	p.sees(`get report\.pdf to inbox/`)
	p.says("", `got report\.pdf: 6 B`)
	mustBe(t, filepath.Join(folder, "inbox", "report.pdf"), []byte("report"))
	p.types("put in" + tab + tab)
	p.sees(`inbox/ +input`)
	p.types(ctrlC + "put ~/Dow" + tab + tab)
	p.sees(`put ~/Downloads/summer\\ \\\(1\\\)\.jpg `)
	p.says("", `put summer \(1\)\.jpg: 24 B`)
	mustBe(t, filepath.Join(s.library, "summer (1).jpg"), []byte("Downloads/summer (1).jpg"))
	// What we put is completed at once.
	p.types("info su" + tab)
	p.sees(`summer\\ \\\(1\\\)\.jpg `)
	p.says("", `24 bytes`)
	p.types(ctrlD)
	p.ends()

	// The next visit remembers this one.
	p = visitor(t, s, folder)
	p.types(up)
	p.sees(`info summer`)
	p.types(up)
	p.sees(`put ~/Downloads/summer`)
	p.says(ctrlC+"list", `report\.pdf`)
	p.types("quit" + enter)
	p.ends()
}

// TestShelfPromptSaysWhy has files fail at once, before there is anything to
// draw: their reasons are shown all the same.
func TestShelfPromptSaysWhy(t *testing.T) {
	s, folder := serve(t), t.TempDir()
	p := visitor(t, s, folder)
	for range 3 {
		p.says("put "+folder, `: this is a folder; put takes files`)
		p.says("get missing", `missing: no such file`)
		p.says("put nothing", `nothing: no such file`)
	}
	s.put(t, "kept", []byte("kept"))
	p.types("remove kept" + enter)
	p.sees(`Remove kept from the server\? \(yes/no\) `)
	p.says("no", `nothing was removed`)
	p.types("remove kept" + enter)
	p.sees(`\(yes/no\) `)
	p.says("yes", `kept: this account may not delete files`)
	mustBe(t, filepath.Join(s.library, "kept"), []byte("kept"))
	p.types("quit" + enter)
	p.ends()
}

// slowly is so little a second that a transfer of large is still going on
// whenever it is looked at.
const slowly, large = "--limit 64K ", 16 << 20

// TestShelfInterruptedGet stops a download: the connection stays, and the next
// try goes on. The bars are drawn in their place, whatever the terminal shows
// of the keys.
func TestShelfInterruptedGet(t *testing.T) {
	t.Parallel()
	s, folder := serve(t), t.TempDir()
	want := content(3, large)
	s.put(t, "large", want)
	p := visitor(t, s, folder)
	p.types("get " + slowly + "large" + enter)
	p.sees(`large +[0-9.]+ KiB / 16\.0 MiB .*KiB/s [0-9:]+`)
	p.types("keys")
	p.sees(`keys`)
	p.sees(`large +[0-9.]+ KiB`)
	eventually(t, "a part is there", func() bool { return len(partsIn(t, folder)) == 1 })
	p.types(ctrlC)
	p.sees(`large: interrupted`)
	p.prompt()
	if _, err := os.Lstat(filepath.Join(folder, "large")); err == nil {
		t.Error("a file that is not whole has its name")
	}
	const redraw = "\x1b[1A\x1b[J" // from the line above on
	if shown := p.screen.String(); !strings.Contains(shown, redraw) {
		t.Error("no bar was drawn twice")
	} else if strings.Contains(strings.ReplaceAll(shown, "\r"+redraw, ""), redraw) {
		t.Error("a bar was drawn behind the keys")
	}
	p.says("get large", `got large: 16\.0 MiB .* were there already`)
	mustBe(t, filepath.Join(folder, "large"), want)
	p.never("connecting again")
	p.types(ctrlD)
	p.ends()
}

// TestShelfPromptOutlivesServer kills the server in the middle of a download,
// and again while nothing is done: the prompt stays, says so, and goes on when
// a server is back at that address.
func TestShelfPromptOutlivesServer(t *testing.T) {
	t.Parallel()
	s, folder := serveAgain(t), t.TempDir()
	want := content(4, large)
	s.put(t, "large", want)
	p := visitor(t, s.server, folder)
	p.types("get --retry 0 " + slowly + "large" + enter)
	p.sees(`large +[0-9.]+ KiB / 16\.0 MiB`)
	eventually(t, "a part is there", func() bool { return len(partsIn(t, folder)) == 1 })
	s.kill()
	p.sees(`the connection is lost`)
	p.sees(`get: .*reconnect.*goes on`)
	p.prompt()
	p.says("reconnect", `no connection to .*refused`)
	s.restart(t)
	p.types("reconnect" + enter)
	p.sees(`Connected to`)
	p.sees(`Going on with: get`)
	p.types(ctrlC) // it is as slow as before
	p.sees(`interrupted`)
	p.prompt()
	p.says("get large", `got large: 16\.0 MiB .* were there already`)
	mustBe(t, filepath.Join(folder, "large"), want)

	s.kill()
	s.restart(t)
	p.types("list" + enter) // finds out, or knows already
	p.sees(`connecting again|the connection is lost`)
	p.prompt()
	p.says("list", `large`)
	p.types("quit" + enter)
	p.ends()
}

// again is a server that is killed and comes back where it was.
type again struct{ *server }

func serveAgain(t *testing.T) *again {
	t.Helper()
	first, err := startServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &again{first}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *again) kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

func (s *again) restart(t *testing.T) {
	t.Helper()
	next, err := startServer(s.dir, "--listen", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.server = next
}

// TestShelfColour has sizes and times step back on a terminal, but not where
// NO_COLOR is set.
func TestShelfColour(t *testing.T) {
	s := serve(t)
	s.put(t, "report.pdf", nil)
	const dim = "\x1b[2m"
	for _, want := range []struct{ env, shown string }{{"NO_COLOR=", `\x1b\[2m.*\x1b\[0m  report\.pdf`}, {"NO_COLOR=1", ` [0-9:]+  report\.pdf`}} {
		t.Run(want.env, func(t *testing.T) {
			p := visitor(t, s, t.TempDir(), want.env)
			p.says("list", want.shown)
			p.types(ctrlD)
			p.ends()
			if want.env == "NO_COLOR=1" {
				p.never(dim)
			}
		})
	}
}

// TestShelfHelpFits has no line of help go beyond a terminal of 80 columns.
func TestShelfHelpFits(t *testing.T) {
	s := serve(t)
	help := func(words ...string) string {
		out, err := shelfCommand(s, append([]string{"help"}, words...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if len(line) > len("\n")+80 {
				t.Errorf("help %v has a line of %d columns: %s", words, len(line)-1, line)
			}
		}
		return string(out)
	}
	var all []string
	for line := range strings.Lines(help()) {
		all = append(all, strings.Fields(line)[0])
	}
	if len(all) < 12 {
		t.Errorf("help tells of %v only", all)
	}
	help(all...)
}

// TestShelfInterruptedQuestion presses Ctrl-C where it is asked whether to
// replace a file: that is no answer about this one, but the end of the command.
func TestShelfInterruptedQuestion(t *testing.T) {
	s, folder := serve(t), t.TempDir()
	for _, name := range []string{"one", "two"} {
		s.put(t, name, []byte("theirs"))
	}
	if err := os.WriteFile(filepath.Join(folder, "one"), []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := visitor(t, s, folder)
	p.types("get one two" + enter)
	p.sees(`one is here already\. Replace it\? \(yes/no\) `)
	p.says(ctrlC, `interrupted`)
	p.never("got two")
	mustBe(t, filepath.Join(folder, "one"), []byte("ours"))
	if _, err := os.Lstat(filepath.Join(folder, "two")); err == nil {
		t.Error("the rest was downloaded")
	}
	p.types("remove one" + enter)
	p.sees(`\(yes/no\) `)
	p.says(ctrlC, `remove: interrupted`)
	p.says("get two", `got two`)
	p.types("quit" + enter)
	p.ends()
}
