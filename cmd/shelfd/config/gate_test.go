package config

import (
	"strings"
	"testing"
	"time"
)

func TestGates(t *testing.T) {
	const library = "[libraries.in]\npath = \"/in\"\n[libraries.in.gate]\n"
	s, err := load(t, library+"clamd = \"unix:/run/c\"\nsocket = \"unix:a.sock, unix:/b\"\n")
	if err != nil {
		t.Fatal(err)
	}
	g := s.AllLibraries()["in"].Gate
	if !s.HasGates() || g.Clamd.Path != "/run/c" || len(g.Socket.Paths) != 2 || !strings.HasSuffix(g.Socket.Paths[0].Path, "/a.sock") || g.Socket.Paths[0].Path[0] != '/' || g.Socket.Paths[1].Path != "/b" {
		t.Errorf("%+v", g)
	}
	if g.Timeout.Duration != 2*time.Minute || g.OnError.Word != GateRefuse || g.MaxSize.Bytes != 100<<20 || g.AboveMax.Word != GateRefuse || g.MaxScans.N < 8 || g.Mode.Word != GateWait {
		t.Errorf("by default: %+v", g)
	}
	s, err = load(t, library+"socket = \"unix:/b\"\non_error = \"accept\"\nmode = \"wait\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if g := s.AllLibraries()["in"].Gate; g.MaxSize.Bytes != 0 || g.OnError.Word != GateAccept {
		t.Errorf("without clamd: %+v", g)
	}
	s, err = load(t, library+"socket = \"unix:/b\"\nmode = \"hold\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if g := s.AllLibraries()["in"].Gate; !g.Holds() || g.HoldMax.Bytes != 10<<30 {
		t.Errorf("one that holds: %+v", g)
	}
	if s, err := load(t, "[libraries.in]\npath = \"/in\"\n"); err != nil || s.HasGates() {
		t.Errorf("without a gate: %v", err)
	}
	for settings, want := range map[string]string{
		"clamd = \"/run/c\"\n":                                          `4:9: "/run/c" is not a unix socket`,
		"clamd = \"unix:\"\n":                                           `4:9: "unix:" is not a unix socket`,
		"socket = \"unix:/a,,unix:/b\"\n":                               `4:10: "" is not a unix socket`,
		"timeout = \"1m\"\n":                                            "3:2: libraries.in.gate: it asks nobody; set clamd or socket",
		"socket = \"unix:/a\"\ntimeout = 0\n":                           "5:1: libraries.in.gate.timeout: a scanner takes some time",
		"socket = \"unix:/a\"\nmax_scans = 0\n":                         "5:13: \"0\" is not a number of 1 or more",
		"socket = \"unix:/a\"\non_error = \"ignore\"\n":                 "5:12: \"ignore\" is not refuse or accept",
		"socket = \"unix:/a\"\nmode = \"nowait\"\n":                     "5:8: \"nowait\" is not wait or hold",
		"socket = \"unix:/a\"\nhold_max = \"1GiB\"\n":                   "5:1: libraries.in.gate.hold_max: nothing is held",
		"socket = \"unix:/a\"\nmode = \"hold\"\nhold_max = 0\n":         "6:1: libraries.in.gate.hold_max: there must be room",
		"socket = \"unix:/a\"\nclam = \"unix:/a\"\n":                    "there is no setting \"libraries.in.gate.clam\"; the nearest is \"clamd\"",
		"socket = \"unix:/a\"\n[accounts.a]\nallowed_names = [\"[\"]\n": "6:1: accounts.a.allowed_names: \"[\" is no pattern",
	} {
		if _, err := load(t, library+settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", settings, err, want)
		}
	}
	for _, bad := range []string{"a/b", "", "x[", `x\`} {
		if _, err := load(t, "[libraries.in]\npath = \"/in\"\nrefused_names = ['"+bad+"']\n"); err == nil || !strings.Contains(err.Error(), "3:1: libraries.in.refused_names") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
