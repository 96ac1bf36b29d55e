// Package gate judges files before they are published: it asks scanners, which are
// other programs, and knows the rules for what these can't say.
//
//	gate.go     Gate: several scanners in a row, and what to do without a verdict
//	scanner.go  Scanner: one of them, by its address
//	clamd.go    clamd of ClamAV
//	socket.go   any other program: the protocol of a unix socket, both ends of it
//	pass.go     an open file over a unix socket
package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"shelf/vfs"
)

// Rules are what a Gate keeps to.
type Rules struct {
	Timeout time.Duration // for each scanner to answer
	MaxSize int64         // larger files are not scanned; bytes, 0 is no limit

	AcceptLarger bool // what is larger than MaxSize, or than a scanner looks at, is let in
	AcceptErrors bool // what a scanner gives no verdict on is let in
}

// Options is what a [Gate] is made from.
type Options struct {
	Rules
	Library  string
	Scanners []Scanner // in a row: all must say yes

	// Turn waits until a file of an account may be scanned; nil is at once.
	Turn func(ctx context.Context, account string) (end func(), err error)

	// Observe is told of each file: one of the words of [vfs.Event.Gate], and how long
	// that took; nil is nobody.
	Observe func(word string, took time.Duration)

	Log *slog.Logger
}

// Gate stands before a library. It is safe for concurrent use.
type Gate struct {
	o Options

	mu     sync.Mutex
	failed int    // files in a row that had no verdict; mu
	why    string // the last of them had none; mu
}

// manyFailed is how many files in a row have no verdict until something is wrong with
// the scanner. One alone may be broken, and anybody can send it. Ping tells at once of
// a scanner that does not answer.
const manyFailed = 3

// New makes a Gate.
func New(o Options) *Gate {
	if o.Turn == nil {
		o.Turn = func(context.Context, string) (func(), error) { return func() {}, nil }
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	return &Gate{o: o}
}

// Judge lets a file of an account in, or returns what its client hears.
func (g *Gate) Judge(ctx context.Context, account string, s vfs.Staged) (word string, err error) {
	begun := time.Now()
	defer func() {
		if word != "" {
			g.o.Observe(word, time.Since(begun))
		}
	}()
	if g.o.MaxSize > 0 && s.Size > g.o.MaxSize {
		if !g.o.AcceptLarger {
			return vfs.GateRefused, vfs.FileTooLarge(g.o.MaxSize)
		}
		return vfs.GateUnchecked, nil
	}
	end, err := g.o.Turn(ctx, account)
	if err != nil {
		return "", err
	}
	defer end()
	word = vfs.GatePassed
	var failed error
	for i, scanner := range g.o.Scanners {
		v, err := g.ask(ctx, scanner, File{Name: s.Name, Size: s.Size, Library: g.o.Library, Account: account}, s)
		if ctx.Err() != nil {
			return "", context.Cause(ctx) // nobody waits any more
		}
		failed = cmp.Or(failed, err)
		last := i == len(g.o.Scanners)-1
		one, err := g.rule(s.Name, v, err)
		if last || failed != nil && err != nil {
			g.note(failed) // one that has refused tells nothing of those behind it
		}
		if err != nil {
			return one, err
		}
		if one != vfs.GatePassed {
			word = one
		}
	}
	return word, nil
}

// ask has one scanner look at the file, which it gets for itself alone: another that
// is late may still read.
func (g *Gate) ask(ctx context.Context, scanner Scanner, about File, s vfs.Staged) (Verdict, error) {
	if s.Open == nil {
		return Verdict{}, errors.New("the library has no file to be scanned")
	}
	file, err := s.Open()
	if err != nil {
		return Verdict{}, vfs.WithoutPath(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, g.o.Timeout, fmt.Errorf("no answer within %s", g.o.Timeout))
	defer cancel()
	v, err := scanner.Scan(ctx, about, file)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return v, vfs.WithoutPath(err)
}

// rule is what follows from an answer.
func (g *Gate) rule(name string, v Verdict, err error) (word string, _ error) {
	switch {
	case err == nil && v.Refused:
		return vfs.GateRefused, &vfs.Error{Kind: vfs.ErrContent, Why: refusal(v.Reason)}
	case err == nil && v.Partly && !g.o.AcceptLarger:
		return vfs.GateRefused, &vfs.Error{Kind: vfs.ErrTooLarge, Why: "the file is more than the scanner looks at" + inBrackets(v.Reason)}
	case err == nil && v.Partly:
		return vfs.GateUnchecked, nil
	case err == nil:
		return vfs.GatePassed, nil
	case g.o.AcceptErrors:
		g.o.Log.Warn("a file is let in without a verdict", "library", g.o.Library, "name", vfs.Clip(name), "reason", err)
		return vfs.GateUnchecked, nil
	}
	return vfs.GateFailed, &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the file could not be checked, so it is not accepted; try again later", Err: err}
}

// note remembers whether there was a verdict on a file.
func (g *Gate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		g.failed = 0
		return
	}
	g.failed++
	g.why = err.Error()
}

// Failing is why the last files had no verdict, or "".
func (g *Gate) Failing() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed < manyFailed {
		return ""
	}
	return g.why
}

// Ping tells whether all scanners answer.
func (g *Gate) Ping(ctx context.Context) (all error) {
	for _, scanner := range g.o.Scanners {
		if _, err := scanner.Ping(ctx); err != nil {
			all = errors.Join(all, vfs.WithoutPath(err))
		}
	}
	return all
}

// maxReason is how much of a scanner's reason a client reads, in bytes.
const maxReason = 200

// refusal is what a client reads. What a scanner says may have come out of the file.
func refusal(reason string) string {
	if reason = bounded(reason); reason == "" {
		return "the file was refused by a check"
	}
	return "the file was refused by a check: " + reason
}

func inBrackets(reason string) string {
	if reason = bounded(reason); reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func bounded(reason string) string { return vfs.Escape(vfs.ClipTo(reason, maxReason)) }
