package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Note is an event about a name, or about none.
type Note struct {
	Event string `json:"event"` // failed, removed, would put, watching, or error: the end of a command
	Name  string `json:"name,omitempty"`
	Error string `json:"error,omitempty"`
}

// Event writes a line of JSON, if a script reads the output.
func (u *UI) Event(v any) {
	if !u.JSON {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	io.WriteString(u.Out, jsonLine(v))
}

// jsonLine escapes more than JSON demands: everything a terminal could act on.
func jsonLine(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf(`{"error":%q}`+"\n", err)
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default: // as two halves of UTF-16
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String() + "\n"
}
