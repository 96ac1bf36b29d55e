package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shelf/cmd/shelfd/credentials"
)

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
