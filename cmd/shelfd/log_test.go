package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/credentials"
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
			logEvent(newLog(&log, format, slog.LevelInfo), sshd.Event{
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
	to := newLog(&log, config.LogFormat{}, slog.LevelInfo)
	logEvent(to, sshd.Event{Op: "get", Conn: "C1", Source: "192.0.2.1:5", Account: "ana", Method: "publickey",
		KeyFingerprint: "SHA256:x", ClientVersion: "SSH-2.0-X", Name: "a b", Target: "c", Bytes: 7})
	logEvent(to, sshd.Event{Op: "remove", Err: errors.New("not yours")})
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

// With log_format = "json" every line is JSON: the first one, those of events, and
// the last one, also if the configuration has a mistake.
func TestEveryLineIsJSON(t *testing.T) {
	for what, test := range map[string]struct {
		toml, want string
		fails      bool
	}{
		"a start and an end": {"library = \"library\"\n", `"msg":"serving","listen":"127.0.0.1:`, false},
		"a mistake":          {"mistake = 1\n", "there is no setting", true},
		"no TOML":            {"= =\n", "2:1", true},
		"no library":         {"library = \"nowhere\"\n", `"msg":"There is no library","where":"`, true},
		"a bad address":      {"library = \"library\"\nallow_root = \"x\"\n", "allow_root must be true or false", true},
	} {
		dir := t.TempDir()
		file, key := filepath.Join(dir, "shelfd.toml"), filepath.Join(dir, "id")
		toml := "log_format = \"json\"\n" + test.toml + "sandbox = \"off\"\nlisten = \"127.0.0.1:0\"\nstate = \"state\"\nuser = \"ana\"\nauthorized_keys_file = \"id.pub\"\n"
		if err := errors.Join(os.WriteFile(file, []byte(toml), 0o600), os.Mkdir(filepath.Join(dir, "library"), 0o700), credentials.WriteKeyPair(key, io.Discard)); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		var out bytes.Buffer
		root := rootCommand()
		root.SetArgs([]string{"serve", "--config", file})
		root.SetOut(&out)
		root.SetErr(&out)
		err := root.ExecuteContext(ctx)
		if (err != nil) != test.fails || err != nil && !errors.As(err, new(logged)) {
			t.Errorf("%s: %v", what, err)
		}
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("%s: there is no %s in\n%s", what, test.want, &out)
		}
		for line := range strings.Lines(out.String()) {
			var fields struct{ Time, Level, Msg string }
			if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Time == "" || fields.Level == "" || fields.Msg == "" {
				t.Errorf("%s: %q: %v", what, line, err)
			}
		}
	}
}
