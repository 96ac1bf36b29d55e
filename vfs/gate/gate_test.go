package gate_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/gate"
)

// scanner answers as it is told, and reads the file.
type scanner struct {
	verdict gate.Verdict
	err     error
	hangs   bool
	read    []string
}

func (s *scanner) Scan(ctx context.Context, about gate.File, file *os.File) (gate.Verdict, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return gate.Verdict{}, err
	}
	s.read = append(s.read, about.Account+" "+about.Library+"/"+about.Name+"="+string(text))
	if s.hangs {
		<-ctx.Done()
		return gate.Verdict{}, ctx.Err()
	}
	return s.verdict, s.err
}

func (s *scanner) Ping(context.Context) (string, error) { return "", s.err }

// staged is a file with a text, of so many bytes.
func staged(t *testing.T, text string) vfs.Staged {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stage")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return vfs.Staged{Name: "a.pdf", Size: int64(len(text)), Content: strings.NewReader(text), Open: func() (*os.File, error) { return os.Open(path) }}
}

func TestRules(t *testing.T) {
	down := errors.New("dial unix /run/secret: connect: no such file")
	for _, test := range []struct {
		name     string
		rules    gate.Rules
		scanners []*scanner
		word     string
		kind     error
		says     string
	}{
		{"all accept", gate.Rules{}, []*scanner{{}, {}}, vfs.GatePassed, nil, ""},
		{"the second refuses", gate.Rules{}, []*scanner{{}, {verdict: gate.Verdict{Refused: true, Reason: "Virus"}}}, vfs.GateRefused, vfs.ErrContent, "the file was refused by a check: Virus"},
		{"without a reason", gate.Rules{}, []*scanner{{verdict: gate.Verdict{Refused: true}}}, vfs.GateRefused, vfs.ErrContent, "the file was refused by a check"},
		{"with a terrible reason", gate.Rules{}, []*scanner{{verdict: gate.Verdict{Refused: true, Reason: "\x1b[2J" + strings.Repeat("x", 1<<20)}}}, vfs.GateRefused, vfs.ErrContent, `the file was refused by a check: \x1b[2Jxx`},
		{"no answer", gate.Rules{}, []*scanner{{err: down}}, vfs.GateFailed, vfs.ErrUnavailable, "the file could not be checked, so it is not accepted; try again later"},
		{"no answer, and that is accepted", gate.Rules{AcceptErrors: true}, []*scanner{{err: down}, {}}, vfs.GateUnchecked, nil, ""},
		{"no answer is accepted, and the second refuses", gate.Rules{AcceptErrors: true}, []*scanner{{err: down}, {verdict: gate.Verdict{Refused: true}}}, vfs.GateRefused, vfs.ErrContent, ""},
		{"it takes too long", gate.Rules{Timeout: time.Millisecond}, []*scanner{{hangs: true}}, vfs.GateFailed, vfs.ErrUnavailable, ""},
		{"it takes too long, and that is accepted", gate.Rules{Timeout: time.Millisecond, AcceptErrors: true}, []*scanner{{hangs: true}}, vfs.GateUnchecked, nil, ""},
		{"larger", gate.Rules{MaxSize: 4}, []*scanner{{}}, vfs.GateRefused, vfs.ErrTooLarge, "files are limited to 4 bytes here"},
		{"larger, and that is accepted", gate.Rules{MaxSize: 4, AcceptLarger: true}, []*scanner{{verdict: gate.Verdict{Refused: true}}}, vfs.GateUnchecked, nil, ""},
		{"not larger", gate.Rules{MaxSize: 5}, []*scanner{{}}, vfs.GatePassed, nil, ""},
		{"partly", gate.Rules{}, []*scanner{{verdict: gate.Verdict{Partly: true, Reason: "Limit"}}}, vfs.GateRefused, vfs.ErrTooLarge, "the file is more than the scanner looks at (Limit)"},
		{"partly, and that is accepted", gate.Rules{AcceptLarger: true}, []*scanner{{verdict: gate.Verdict{Partly: true}}, {}}, vfs.GateUnchecked, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.rules.Timeout == 0 {
				test.rules.Timeout = time.Hour
			}
			observed := ""
			o := gate.Options{Rules: test.rules, Library: "in", Log: slog.New(slog.DiscardHandler), Observe: func(word string, _ time.Duration) { observed += word }}
			for _, s := range test.scanners {
				o.Scanners = append(o.Scanners, s)
			}
			word, err := gate.New(o).Judge(t.Context(), "ada", staged(t, "hello"))
			if word != test.word || observed != test.word || test.kind == nil && err != nil || test.kind != nil && !errors.Is(err, test.kind) {
				t.Fatalf("%s (%s), %v", word, observed, err)
			}
			if e := (*vfs.Error)(nil); errors.As(err, &e) && (!strings.HasPrefix(e.Reason(), test.says) || len(e.Reason()) > 300 || strings.Contains(e.Reason(), "secret")) {
				t.Errorf("the client reads %q", e.Reason())
			}
			for _, s := range test.scanners { // each reads it from the beginning
				if len(s.read) > 0 && s.read[0] != "ada in/a.pdf=hello" {
					t.Errorf("read was %q", s.read)
				}
			}
		})
	}
}

// TestRefusedLeavesTheRest asks no second scanner once one has refused, and none about
// what is too large.
func TestRefusedLeavesTheRest(t *testing.T) {
	first, second := &scanner{verdict: gate.Verdict{Refused: true}}, &scanner{}
	o := gate.Options{Rules: gate.Rules{Timeout: time.Hour, MaxSize: 5}, Scanners: []gate.Scanner{first, second}}
	g := gate.New(o)
	if word, _ := g.Judge(t.Context(), "ada", staged(t, "hello")); word != vfs.GateRefused || len(first.read) != 1 || len(second.read) != 0 {
		t.Errorf("%s: asked were %d and %d", word, len(first.read), len(second.read))
	}
	if g.Judge(t.Context(), "ada", staged(t, "hello!")); len(first.read) != 1 {
		t.Error("a scanner was asked about what is too large")
	}
}

// TestNobodyWaits ends with who waits for the verdict, and that is no failure of the
// scanner: also where those are accepted.
func TestNobodyWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := gate.New(gate.Options{Rules: gate.Rules{Timeout: time.Hour, AcceptErrors: true}, Scanners: []gate.Scanner{&scanner{hangs: true}}, Log: slog.New(slog.DiscardHandler)})
	time.AfterFunc(time.Millisecond, cancel)
	word, err := g.Judge(ctx, "ada", staged(t, "x"))
	if word != "" || !errors.Is(err, context.Canceled) || g.Failing() != "" {
		t.Errorf("%q, %v; failing: %s", word, err, g.Failing())
	}
}

func TestFailing(t *testing.T) {
	s := &scanner{err: errors.New("broken")}
	g := gate.New(gate.Options{Rules: gate.Rules{Timeout: time.Hour}, Scanners: []gate.Scanner{s}, Log: slog.New(slog.DiscardHandler)})
	for i := range 3 { // a file alone may be broken
		if g.Failing() != "" {
			t.Errorf("failing after %d: %q", i, g.Failing())
		}
		g.Judge(t.Context(), "ada", staged(t, "x"))
	}
	if g.Failing() != "broken" || g.Ping(t.Context()) == nil {
		t.Errorf("failing: %q", g.Failing())
	}
	s.err = nil
	g.Judge(t.Context(), "ada", staged(t, "x"))
	if g.Failing() != "" || g.Ping(t.Context()) != nil {
		t.Errorf("failing: %q", g.Failing())
	}
}

// TestFailingOfTheSecond has a scanner in front of it that answers.
func TestFailingOfTheSecond(t *testing.T) {
	first, second := &scanner{}, &scanner{err: errors.New("broken")}
	g := gate.New(gate.Options{Rules: gate.Rules{Timeout: time.Hour, AcceptErrors: true}, Scanners: []gate.Scanner{first, second}, Log: slog.New(slog.DiscardHandler)})
	for range 3 {
		g.Judge(t.Context(), "ada", staged(t, "x"))
	}
	first.verdict.Refused = true // so the second is not asked
	g.Judge(t.Context(), "ada", staged(t, "x"))
	if g.Failing() != "broken" {
		t.Errorf("failing: %q", g.Failing())
	}
}

// TestProblemsNameNoPath is about what operators read over the web.
func TestProblemsNameNoPath(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	for _, kind := range []string{gate.Clamd, gate.Socket} {
		g := gate.New(gate.Options{Rules: gate.Rules{Timeout: time.Hour}, Scanners: []gate.Scanner{gate.Address{Kind: kind, Path: secret}.Scanner()}, Log: slog.New(slog.DiscardHandler)})
		for range 3 {
			g.Judge(t.Context(), "ada", staged(t, "x"))
		}
		ping := g.Ping(t.Context())
		if ping == nil || strings.Contains(ping.Error(), "secret") || g.Failing() == "" || strings.Contains(g.Failing(), "secret") {
			t.Errorf("%s: %v; %s", kind, ping, g.Failing())
		}
	}
}
