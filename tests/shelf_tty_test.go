package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// typist is somebody at a terminal.
type typist struct {
	t      *testing.T
	cmd    *exec.Cmd
	keys   *os.File
	screen *output
	read   int // how much of the screen has been read
}

// Keys that are no letters.
const (
	enter, tab, up = "\r", "\t", "\x1b[A"
	ctrlC, ctrlD   = "\x03", "\x04"
)

// sit has somebody start a program at a terminal of 120 columns.
func sit(t *testing.T, cmd *exec.Cmd) *typist {
	t.Helper()
	return sitAt(t, cmd, 120)
}

// sitAt has somebody start a program at a terminal of some width.
func sitAt(t *testing.T, cmd *exec.Cmd, columns uint16) *typist {
	t.Helper()
	keys, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	p := &typist{t: t, cmd: cmd, keys: keys, screen: newOutput()}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		for b := make([]byte, 4096); ; {
			n, err := keys.Read(b)
			p.screen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		keys.Close()
		<-shown
		if t.Failed() {
			t.Logf("the screen:\n%q", p.screen)
		}
	})
	return p
}

func (p *typist) types(keys string) {
	p.t.Helper()
	if _, err := p.keys.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits for text that matches, and reads on behind it the next time.
func (p *typist) sees(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	eventually(p.t, fmt.Sprintf("the screen shows %q", pattern), func() bool {
		found := re.FindStringIndex(p.screen.String()[p.read:])
		if found != nil {
			p.read += found[1]
		}
		return found != nil
	})
}

// prompt waits for the next one.
func (p *typist) prompt() {
	p.t.Helper()
	p.sees(`shelf> `)
}

// says types a command, and waits for what it prints and the next prompt.
func (p *typist) says(line, pattern string) {
	p.t.Helper()
	p.types(line + enter)
	p.sees(pattern)
	p.prompt()
}

// ends waits for the program to end well.
func (p *typist) ends() {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("it ended with %v", err)
	}
}

// person starts shelf in a folder of its own, over a link.
func person(t *testing.T, c *cutting) (p *typist, folder string) {
	t.Helper()
	folder = t.TempDir()
	cmd := shelfCommand(c.near)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_STATE_HOME="+filepath.Join(folder, "state"), "TERM=xterm", "NO_COLOR=1")
	p = sit(t, cmd)
	p.sees(`Connected to .*The commands are:`)
	p.prompt()
	return p, folder
}

// TestShelfPrompt is a visit: help, lists, files down and up, and mistakes.
func TestShelfPrompt(t *testing.T) {
	c := newCutting(t)
	c.server.put(t, "welcome.txt", []byte("hello"))
	c.server.put(t, "it's here", []byte("quoted"))
	p, folder := person(t, c)
	if err := os.WriteFile(filepath.Join(folder, "report.pdf"), content(1, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	p.says("help", `rename NAME NEW-NAME`)
	p.says("help get", `get NAME\.\.\. \[to DIR\]`)
	p.says("lst", `did you mean list\?`)
	p.says("list", `welcome\.txt`)
	// Commands, the server's names and ours are completed, and quoted.
	p.types("re" + tab + tab)
	p.sees(`reconnect\s+remove\s+rename`)
	p.types(ctrlC + "get we" + tab)
	p.sees(`get welcome\.txt `)
	p.says("", `welcome\.txt`)
	mustBe(t, filepath.Join(folder, "welcome.txt"), []byte("hello"))
	p.types("get it" + tab)
	p.sees(`it\\'s\\ here `)
	p.says("", `here`)
	mustBe(t, filepath.Join(folder, "it's here"), []byte("quoted"))
	p.types("pu" + tab + "rep" + tab)
	p.sees(`put report\.pdf `)
	p.says("", `report\.pdf`)
	mustBe(t, filepath.Join(c.server.library, "report.pdf"), content(1, 1000))
	// What is here is not replaced unasked; what is there is not removed unasked.
	c.server.put(t, "welcome.txt", []byte("changed"))
	p.types("get welcome.txt" + enter)
	p.sees(`Replace it\?`)
	p.types("no" + enter)
	p.prompt()
	mustBe(t, filepath.Join(folder, "welcome.txt"), []byte("hello"))
	p.types("remove welcome.txt" + enter)
	p.sees(`\(yes/no\)`)
	p.types("no" + enter)
	p.prompt()
	// Up brings the last line back.
	p.types(up)
	p.sees(`remove welcome\.txt`)
	p.types(ctrlC)
	p.types(ctrlD)
	p.ends()
	mustBe(t, filepath.Join(c.server.library, "welcome.txt"), []byte("changed"))
	mustKeepHistory(t, folder)
}

func mustKeepHistory(t *testing.T, folder string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(folder, "state", "shelf", "history-*"))
	if len(files) != 1 {
		t.Fatalf("files of history: %v", files)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := os.ReadFile(files[0])
	if info.Mode().Perm() != 0o600 || !strings.Contains(string(lines), "get welcome.txt") {
		t.Errorf("the history has mode %v and\n%s", info.Mode(), lines)
	}
}

// TestShelfPromptSurvives stops a transfer, then has the server restart: the
// prompt stays, and what was moved is not moved again.
func TestShelfPromptSurvives(t *testing.T) {
	t.Parallel()
	c := newCutting(t)
	p, folder := person(t, c)
	const size = 6 << 20
	want := content(2, size)
	if err := os.WriteFile(filepath.Join(folder, "large"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	p.types("put --limit 1500K large" + enter)
	p.sees(`large +[2-9]\.[0-9] MiB / 6\.0 MiB`) // the bar, past what is kept of a cut upload
	p.types(ctrlC)
	p.sees(`interrupted`)
	p.prompt()
	mustBeWholeOrAbsent(t, filepath.Join(c.server.library, "large"), want)

	c.server.stop()
	restarted, err := startServer(c.server.dir)
	if err != nil {
		t.Fatal(err)
	}
	c.server = restarted
	c.link.redirect(restarted.addr)
	c.link.cut()
	p.says("list", `connecting again`)
	p.says("put large", `large: 6\.0 MiB .* were there already`)
	mustBe(t, filepath.Join(c.server.library, "large"), want)

	// A connection that ends in the middle: reconnect goes on.
	p.types("get --retry 0 --limit 1500K large to state" + enter)
	p.sees(`large +[2-9]\.[0-9] MiB`)
	c.link.cut()
	p.sees(`is lost`)
	p.prompt()
	p.types("reconnect" + enter)
	p.sees(`Going on with: get`)
	p.sees(`large`)
	p.prompt()
	mustBe(t, filepath.Join(folder, "state", "large"), want)
	p.types("quit" + enter)
	p.ends()
}

// TestShelfPromptIsNotSteered lists a name that would steer the terminal. No
// library shows it, but other servers do.
func TestShelfPromptIsNotSteered(t *testing.T) {
	o := serveOpenSSH(t)
	if err := os.WriteFile(filepath.Join(o.folder, "x\x1b]0;title\x07y"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := sit(t, o.shelf())
	p.prompt()
	p.says("list", `x.*title.*y`)
	p.types("info x" + tab + tab)
	p.types(ctrlC + ctrlD)
	p.ends()
	if strings.Contains(p.screen.String(), "\x1b]0;") {
		t.Error("the name reached the terminal as it is")
	}
}
