// Package gates makes the gates of libraries, which judge files before they are
// published, and has them ask from where that is possible: in the sandbox, through a
// process of its own.
//
//	gates.go   Set and Gate: who is asked, and what becomes of what is refused
//	holding.go a gate that answers clients before its verdict
package gates

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/held"
	"shelf/cmd/shelfd/quarantine"
	"shelf/cmd/shelfd/scanner"
	"shelf/sshd/budget"
	"shelf/vfs"
	"shelf/vfs/gate"
)

// Set is the gates of a server. It is safe for concurrent use.
type Set struct {
	log     *slog.Logger
	observe func(library, word string, took time.Duration)
	process *scanner.Process   // nil is that the server asks by itself
	kept    *quarantine.Folder // what was refused, or waits; nil is nothing
	queue   *held.Queue        // what waits; nil is nothing

	mu    sync.Mutex
	all   map[string]*Gate      // by library; mu
	rules map[string]held.Rules // the same
}

// Gate is that of a library, with its quarantine.
type Gate struct {
	*gate.Gate
	set     *Set
	library string
	max     int64 // bytes that quarantine may take; 0 is that nothing is kept
	holds   bool  // clients are answered before the verdict
}

// Judge implements access.Gate.
func (g *Gate) Judge(ctx context.Context, account string, s vfs.Staged) (string, error) {
	word, err := g.Gate.Judge(ctx, account, s)
	if g.max > 0 && errors.Is(err, vfs.ErrContent) {
		g.keep(ctx, account, s, err)
	}
	return word, err
}

// keep puts a refused file into quarantine. If that fails it is gone, as without one.
func (g *Gate) keep(ctx context.Context, account string, s vfs.Staged, why error) {
	file, err := s.Open()
	if err == nil {
		defer file.Close()
		var dropped []quarantine.Item
		i := quarantine.Item{Library: g.library, Account: account, Name: s.Name, Size: s.Size, Reason: why.Error()}
		i, dropped, err = g.set.kept.Keep(ctx, i, file, g.max)
		for _, old := range dropped {
			g.set.log.Warn("a file in quarantine gave room to a newer one", "library", old.Library, "id", old.ID, "name", vfs.Clip(old.Name))
		}
		if err == nil {
			g.set.log.Info("a refused file is in quarantine", "library", g.library, "id", i.ID, "name", vfs.Clip(s.Name), "sha256", i.SHA256)
		}
	}
	if err != nil {
		g.set.log.Error("a refused file could not be kept in quarantine, and is gone", "library", g.library, "name", vfs.Clip(s.Name), "reason", err)
	}
}

// Quarantine is what was refused and kept, and what waits; nil is nothing.
func (s *Set) Quarantine() *quarantine.Folder {
	if s == nil {
		return nil
	}
	return s.kept
}

// Open makes the gates of the settings. observe is told of each file that was judged.
// Those that hold uploads need who publishes them.
func Open(s config.Settings, log *slog.Logger, observe func(library, word string, took time.Duration), p *held.Publisher) (*Set, error) {
	set := &Set{log: log, observe: observe}
	if addresses := addressesOf(s); len(addresses) > 0 && s.Sandbox.Word != config.SandboxOff && runtime.GOOS == "linux" {
		var err error
		if set.process, err = scanner.Start(addresses, log); err != nil {
			return nil, fmt.Errorf("the process that asks scanners did not start: %w", err)
		}
	}
	if s.HasGates() { // a reload may turn it on, and the sandbox lets nobody make the folder then
		var err error
		if set.kept, err = quarantine.Open(filepath.Join(s.State, "quarantine")); err != nil {
			set.Close()
			return nil, fmt.Errorf("the folder for quarantine: %w", err)
		}
		set.queue = set.newQueue(p)
	}
	set.Change(s)
	return set, nil
}

// Change makes the gates anew, of other settings.
func (s *Set) Change(next config.Settings) {
	all, rules := make(map[string]*Gate), make(map[string]held.Rules)
	for name, l := range next.AllLibraries() {
		if !l.Gate.IsSet() {
			continue
		}
		g := &Gate{Gate: s.gate(name, l.Gate), set: s, library: name, holds: l.Gate.Holds()}
		if l.Gate.Quarantine && s.kept != nil {
			g.max = l.Gate.QuarantineMax.Bytes
		}
		all[name], rules[name] = g, rulesOf(l, g.max)
	}
	s.mu.Lock()
	s.all, s.rules = all, rules
	s.mu.Unlock()
	if s.queue != nil {
		s.queue.Retry()
	}
}

// Unknown is a scanner of other settings that can't be asked without a restart, or a
// quarantine that was not opened. The process that asks was told at its start whom it may.
func (s *Set) Unknown(next config.Settings) (library string, err error) {
	var process *scanner.Process
	if s != nil {
		process = s.process
	}
	for _, name := range next.LibraryNames() {
		if g := next.AllLibraries()[name].Gate; g.IsSet() && (g.Quarantine || g.Holds()) && s.Quarantine() == nil {
			return name, errors.New("the first gate wants quarantine, or to hold files, in a folder that is opened at the start")
		}
	}
	if process == nil && (next.Sandbox.Word == config.SandboxOff || runtime.GOOS != "linux") {
		return "", nil
	}
	for _, name := range next.LibraryNames() {
		for _, at := range addresses(next.Libraries[name].Gate) {
			if process == nil || !process.Knows(at) {
				return name, fmt.Errorf("there is a scanner at %s", at.Path)
			}
		}
	}
	return "", nil
}

// gate makes one.
func (s *Set) gate(library string, g config.Gate) *gate.Gate {
	o := gate.Options{
		Rules: gate.Rules{
			Timeout: g.Timeout.Duration, MaxSize: g.MaxSize.Bytes,
			AcceptLarger: g.AboveMax.Word == config.GateAccept, AcceptErrors: g.OnError.Word == config.GateAccept,
		},
		Library: library, Turn: budget.NewTurns(g.MaxScans.N).Take, Log: s.log,
	}
	if s.observe != nil {
		o.Observe = func(word string, took time.Duration) { s.observe(library, word, took) }
	}
	for _, at := range addresses(g) {
		if s.process != nil {
			o.Scanners = append(o.Scanners, s.process.Scanner(at))
		} else {
			o.Scanners = append(o.Scanners, at.Scanner())
		}
	}
	return gate.New(o)
}

// Of is the gate of a library, or nil. A nil Set has none.
func (s *Set) Of(library string) *Gate {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[library]
}

// Problem is what is wrong with the gate of a library, or nil: that its scanners do
// not answer now, or gave no verdict on the last files.
func (s *Set) Problem(ctx context.Context, library string) error {
	g := s.Of(library)
	if g == nil {
		return nil
	}
	if err := g.Ping(ctx); err != nil {
		return err
	}
	if why := g.Failing(); why != "" {
		return errors.New("there was no verdict on the last files: " + why)
	}
	return nil
}

// Close ends the process.
func (s *Set) Close() {
	if s.kept != nil {
		s.kept.Close()
	}
	if s.process != nil {
		s.process.Close()
	}
}

// addresses are the scanners of a gate, in the order in which they are asked.
func addresses(g config.Gate) (all []gate.Address) {
	if g.Clamd.Path != "" {
		all = append(all, gate.Address{Kind: gate.Clamd, Path: g.Clamd.Path})
	}
	for _, p := range g.Socket.Paths {
		all = append(all, gate.Address{Kind: gate.Socket, Path: p.Path})
	}
	return all
}

// addressesOf are those of all libraries, each once.
func addressesOf(s config.Settings) []gate.Address {
	known := make(map[gate.Address]bool)
	for _, l := range s.Libraries {
		for _, at := range addresses(l.Gate) {
			known[at] = true
		}
	}
	return slices.SortedFunc(maps.Keys(known), func(a, b gate.Address) int {
		return cmp.Compare(a.String(), b.String())
	})
}

// Finding is what a scanner says of itself.
type Finding struct {
	Library, Path string
	Says          string
	Err           error // it does not answer
}

// Ask asks all scanners of the settings whether they are there.
func Ask(ctx context.Context, s config.Settings) (all []Finding) {
	for _, name := range s.LibraryNames() {
		for _, at := range addresses(s.AllLibraries()[name].Gate) {
			f := Finding{Library: name, Path: at.Path}
			f.Says, f.Err = at.Scanner().Ping(ctx)
			all = append(all, f)
		}
	}
	return all
}
