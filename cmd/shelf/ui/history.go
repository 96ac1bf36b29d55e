package ui

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// History is the lines that were typed for one server, the newest last. They are
// kept in a file that only its owner can read.
type History struct {
	lines []string
	file  string // "" if there is no place for it
}

// mostHistory is how many lines are kept.
const mostHistory = 1000

// OpenHistory reads the history of a server, named as user@host:port.
func OpenHistory(server string) *History {
	h := &History{}
	dir, err := stateFolder()
	if err != nil {
		return h
	}
	h.file = filepath.Join(dir, "history-"+fileName(server))
	f, err := os.Open(h.file)
	if err != nil {
		return h
	}
	defer f.Close()
	f.Chmod(0o600) // somebody may have made it readable for others
	for lines := bufio.NewScanner(f); lines.Scan(); {
		h.lines = append(h.lines, lines.Text())
	}
	if len(h.lines) > mostHistory {
		h.lines = h.lines[len(h.lines)-mostHistory:]
		h.rewrite()
	}
	return h
}

// stateFolder is where this program keeps its state (XDG Base Directory Specification).
func stateFolder() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "shelf"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "shelf"), err
}

// fileName makes of user@host:port a file name for every file system.
func fileName(s string) string {
	safe := strings.Map(func(r rune) rune {
		if r == '@' || r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
	sum := sha256.Sum256([]byte(s))
	return safe[:min(len(safe), 100)] + "-" + hex.EncodeToString(sum[:4])
}

// Add implements [term.History].
func (h *History) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.file == "" || os.MkdirAll(filepath.Dir(h.file), 0o700) != nil {
		return
	}
	if f, err := os.OpenFile(h.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
		f.WriteString(line + "\n")
		f.Close()
	}
}

// Len implements [term.History].
func (h *History) Len() int { return len(h.lines) }

// At implements [term.History]: 0 is the newest.
func (h *History) At(i int) string { return h.lines[len(h.lines)-1-i] }

func (h *History) rewrite() {
	temporary := h.file + ".new"
	if os.WriteFile(temporary, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600) == nil {
		os.Rename(temporary, h.file)
	}
}
