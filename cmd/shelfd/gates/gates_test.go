package gates

import (
	"log/slog"
	"testing"

	"shelf/cmd/shelfd/config"
)

// TestFirstQuarantineTakesARestart reloads a server that has started without a gate, and
// that may ask any scanner: what is refused must not be lost without a word.
func TestFirstQuarantineTakesARestart(t *testing.T) {
	s := config.Settings{State: t.TempDir()}
	s.Sandbox.Word = config.SandboxOff
	set, err := Open(s, slog.New(slog.DiscardHandler), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	gate := config.Gate{Clamd: config.SocketPath{Path: "/run/clamd.ctl"}}
	s.Libraries = map[string]config.Library{"in": {Gate: gate}}
	if _, err := set.Unknown(s); err != nil {
		t.Errorf("a gate without quarantine: %v", err)
	}
	gate.Quarantine = true
	s.Libraries = map[string]config.Library{"in": {Gate: gate}}
	if library, err := set.Unknown(s); err == nil || library != "in" {
		t.Errorf("a gate with quarantine: %q, %v", library, err)
	}
}
