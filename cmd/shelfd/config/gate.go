package config

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strings"
	"time"
)

// Gate is a table [libraries.NAME.gate]: who judges files before they are published.
// Without clamd and socket there is none.
type Gate struct {
	Clamd         SocketPath   `toml:"clamd,omitempty" unset:"none" doc:"the socket of clamd, as unix:/run/clamav/clamd.ctl, that each upload is scanned by"`
	Socket        SocketPaths  `toml:"socket,omitempty" unset:"none" doc:"the socket of a program that judges each upload, as of shelfd gate; of several, with commas, all must accept it"`
	Timeout       *Duration    `toml:"timeout,omitempty" unset:"2m" doc:"how long each of them may take for a file"`
	MaxScans      *Count       `toml:"max_scans,omitempty" unset:"twice the processors, and at least 8" doc:"files of the library that are judged at a time"`
	OnError       *GateOnError `toml:"on_error,omitempty" unset:"refuse" doc:"what becomes of a file that cannot be judged: refuse or accept"`
	MaxSize       *Size        `toml:"max_size,omitempty" unset:"100MiB with clamd, else no limit" doc:"the largest file that is judged; 0 is no limit"`
	AboveMax      *GateOnError `toml:"above_max_size,omitempty" unset:"refuse" doc:"what becomes of a larger one, or of one that clamd has not wholly looked at: refuse or accept"`
	Mode          GateMode     `toml:"mode,omitempty" unset:"wait" doc:"wait: the client hears the verdict at the end of its upload; hold: it is answered at once, and nobody sees the file before the verdict"`
	HoldMax       *Size        `toml:"hold_max,omitempty" unset:"10GiB" doc:"with hold, the most that files of the library may take in the folder quarantine of state until their verdicts; one account may have half of it"`
	Quarantine    bool         `toml:"quarantine,omitempty" default:"false" doc:"whether what is refused for its content is kept for operators: shelfd quarantine"`
	QuarantineMax *Size        `toml:"quarantine_max,omitempty" unset:"1GiB" doc:"the most that refused files of the library may take in the folder quarantine of state; the oldest goes first"`
}

// IsSet tells whether there is a gate.
func (g Gate) IsSet() bool { return g.Clamd.Path != "" || len(g.Socket.Paths) > 0 }

// Holds tells whether clients are answered before the verdict.
func (g Gate) Holds() bool { return g.IsSet() && g.Mode.Word == GateHold }

// HasGates tells whether any library has a gate.
func (s Settings) HasGates() bool {
	for _, l := range s.Libraries {
		if l.Gate.IsSet() {
			return true
		}
	}
	return false
}

// clamdScans is up to which size clamd scans a file when nothing is said, its
// MaxFileSize, in bytes. A larger one it calls clean.
const clamdScans = 100 << 20

// complete fills in what is not set.
func (g Gate) complete() Gate {
	most := Size{}
	if g.Clamd.Path != "" {
		most.Bytes = clamdScans
	}
	g.Timeout = First(g.Timeout, &Duration{2 * time.Minute})
	g.MaxScans = First(g.MaxScans, &Count{max(8, 2*runtime.NumCPU())})
	g.OnError = First(g.OnError, &GateOnError{GateRefuse})
	g.MaxSize = First(g.MaxSize, &most)
	g.AboveMax = First(g.AboveMax, &GateOnError{GateRefuse})
	g.QuarantineMax = First(g.QuarantineMax, &Size{1 << 30})
	g.HoldMax = First(g.HoldMax, &Size{10 << 30})
	g.Mode.Word = cmp.Or(g.Mode.Word, GateWait)
	return g
}

// checkGate refuses a gate that asks nobody.
func (s Settings) checkGate(name string, g Gate) error {
	within := "libraries." + name + ".gate."
	switch {
	case !g.IsSet() && !reflect.DeepEqual(g, Gate{}):
		return s.Mistake(strings.TrimSuffix(within, "."), errors.New("it asks nobody; set clamd or socket"))
	case g.Timeout != nil && g.Timeout.Duration == 0:
		return s.Mistake(within+"timeout", errors.New("a scanner takes some time; set 2m, for example"))
	case g.HoldMax != nil && g.Mode.Word != GateHold:
		return s.Mistake(within+"hold_max", errors.New(`nothing is held; set mode = "hold", or leave this out`))
	case g.HoldMax != nil && g.HoldMax.Bytes == 0:
		return s.Mistake(within+"hold_max", errors.New("there must be room for what is held; set 10GiB, for example"))
	}
	return nil
}

// The prefix of addresses of unix sockets.
const unixPrefix = "unix:"

// SocketPath is the path of a unix socket, written "unix:/path".
type SocketPath struct{ Path string }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *SocketPath) UnmarshalText(text []byte) error {
	path, ok := strings.CutPrefix(string(text), unixPrefix)
	if !ok || path == "" {
		return fmt.Errorf("%q is not a unix socket such as unix:/run/clamav/clamd.ctl", text)
	}
	p.Path = path
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p SocketPath) MarshalText() ([]byte, error) {
	if p.Path == "" {
		return nil, nil
	}
	return []byte(unixPrefix + p.Path), nil
}

// SocketPaths are several, with commas.
type SocketPaths struct{ Paths []SocketPath }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *SocketPaths) UnmarshalText(text []byte) error {
	p.Paths = nil
	for one := range strings.SplitSeq(string(text), ",") {
		var path SocketPath
		if err := path.UnmarshalText([]byte(strings.TrimSpace(one))); err != nil {
			return err
		}
		p.Paths = append(p.Paths, path)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p SocketPaths) MarshalText() ([]byte, error) {
	all := make([]string, len(p.Paths))
	for i, path := range p.Paths {
		all[i] = unixPrefix + path.Path
	}
	return []byte(strings.Join(all, ",")), nil
}

// GateOnError says what becomes of a file without a verdict.
type GateOnError struct{ Word string }

// The words of [GateOnError].
const (
	GateRefuse = "refuse"
	GateAccept = "accept"
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (g *GateOnError) UnmarshalText(text []byte) (err error) {
	g.Word, err = oneOf(text, GateRefuse, GateAccept)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (g GateOnError) MarshalText() ([]byte, error) { return []byte(g.Word), nil }

// GateMode says when the client is answered.
type GateMode struct{ Word string }

// The words of [GateMode].
const (
	GateWait = "wait" // when the verdict is there
	GateHold = "hold" // when the content is on disk
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *GateMode) UnmarshalText(text []byte) (err error) {
	m.Word, err = oneOf(text, GateWait, GateHold)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (m GateMode) MarshalText() ([]byte, error) { return []byte(m.Word), nil }

// checkPatterns refuses patterns of names that no name is like.
func (s Settings) checkPatterns(within string, allowed, refused []string) error {
	for setting, patterns := range map[string][]string{"allowed_names": allowed, "refused_names": refused} {
		for _, p := range patterns {
			_, err := path.Match(p, "")
			switch {
			case err != nil:
				return s.Mistake(within+setting, fmt.Errorf("%q is no pattern: a bracket is not closed, or ends in a backslash", p))
			case p == "" || strings.Contains(p, "/"):
				return s.Mistake(within+setting, fmt.Errorf("no name is like %q: names are not empty and have no slash", p))
			}
		}
	}
	return nil
}
