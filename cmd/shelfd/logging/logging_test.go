package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"

	"shelf/cmd/shelfd/config"
	"shelf/sshd"
)

// Whatever strangers send, an event is one line of printable characters.
func TestLogCannotBeForged(t *testing.T) {
	for _, evil := range []string{
		"a\nlevel=INFO msg=login account=root", "\x1b[2J\x1b]0;x\a", "\u009b31m", "\x7f", "\u202etxt.exe",
		"\xff\xfe", "a\r", "\u2028", `"`, `\n`, "x=\"y\"", "a\x00b", "\ufeff",
	} {
		for _, format := range []config.LogFormat{{JSON: false}, {JSON: true}} {
			var log bytes.Buffer
			Event(New(&log, format, slog.LevelInfo), sshd.Event{
				Op: "put", Account: evil, Name: evil, Target: evil, ClientVersion: evil, Err: errors.New(evil),
			})
			line, ended := strings.CutSuffix(log.String(), "\n")
			if !ended || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%+v of %q: %q", format, evil, line)
			}
			if format.JSON && !json.Valid([]byte(line)) {
				t.Errorf("%q is not JSON", line)
			}
		}
	}
}

func TestEventIsLogged(t *testing.T) {
	var log bytes.Buffer
	to := New(&log, config.LogFormat{}, slog.LevelInfo)
	Event(to, sshd.Event{Op: "get", Conn: "C1", Source: "192.0.2.1:5", Account: "ana", Method: "publickey",
		KeyFingerprint: "SHA256:x", ClientVersion: "SSH-2.0-X", Name: "a b", Target: "c", Bytes: 7})
	Event(to, sshd.Event{Op: "remove", Err: errors.New("not yours")})
	first, second, _ := strings.Cut(log.String(), "\n")
	for _, want := range []string{"level=INFO", "msg=get", "conn=C1", "source=192.0.2.1:5", "account=ana", "method=publickey",
		"key=SHA256:x", "client=SSH-2.0-X", `name="a b"`, "target=c", "bytes=7"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in %s", want, first)
		}
	}
	if !strings.Contains(second, "level=WARN msg=remove") || !strings.Contains(second, `reason="not yours"`) {
		t.Errorf("a refusal is logged as %s", second)
	}
}
