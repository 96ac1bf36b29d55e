package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys/sshsig"
)

// Finding is something wrong with a log: it was changed, or is damaged.
type Finding struct {
	Where string // file and line
	What  string
}

// Verdict is what can be said of a log.
type Verdict struct {
	Lines       int
	First, Last uint64 // numbers of lines
	Covered     uint64 // lines up to this one are signed; 0 is none
	Signers     []string
	Hosts       []string // that the lines name as theirs
	Findings    []Finding
	Torn        []string  // where a part of a line stands, which a crash or a full disk has left
	Waiting     time.Time // since when the last lines wait for a checkpoint; zero is that none does
}

// longest is how long lines may wait for a checkpoint: much longer than a server
// that runs lets them.
const longest = 10 * interval

// Verify looks at the files of one log, in their order, as far as they go on from
// each other. Checkpoints must be signed with one of the keys.
func Verify(files []string, keys []ssh.PublicKey) (Verdict, error) {
	v := verifier{keys: keys}
	for _, file := range InOrder(files) {
		for e, err := range Read(file) {
			bad := BadLine{}
			switch {
			case errors.As(err, &bad):
				v.noLine(bad, e.Text)
			case err != nil:
				return v.Verdict, err
			default:
				v.line(e)
			}
		}
	}
	v.end()
	return v.Verdict, nil
}

type verifier struct {
	Verdict
	keys []ssh.PublicKey

	prev  Line     // the line before
	hash  string   // of that
	where string   // that is
	torn  []string // where there were parts of lines just now

	waited time.Duration // by the lines since the last checkpoint, as awaits counts it
	late   bool          // that was found to be too long
}

func (v *verifier) find(where, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{where, fmt.Sprintf(format, args...)})
}

// noLine is told of what is no line. The beginning of one is no finding: a crash or a
// full disk has left it, if the line that follows is the one after the line before.
func (v *verifier) noLine(bad BadLine, text []byte) {
	where := fmt.Sprintf("%s:%d", bad.File, bad.Number)
	const begins = `{"time":"`
	if n := min(len(text), len(begins)); string(text[:n]) != begins[:n] || json.Valid(text) {
		v.find(where, "this is no line of an audit log")
		return
	}
	v.torn = append(v.torn, where)
}

// whole is told whether what stands behind parts of lines goes on from the line before
// these.
func (v *verifier) whole(goesOn bool) {
	if goesOn {
		v.Torn = append(v.Torn, v.torn...)
	} else {
		for _, where := range v.torn {
			v.find(where, "this is no whole line")
		}
	}
	v.torn = nil
}

func (v *verifier) end() {
	v.whole(true)
	if v.Covered == 0 && !v.late && v.Lines > 0 && time.Since(v.Waiting) > longest {
		v.find(v.where, "no line is signed, and the first has been there for %s: checkpoints were taken out, or could not be written", time.Since(v.Waiting).Round(time.Second))
	}
}

func (v *verifier) line(e Entry) {
	where := fmt.Sprintf("%s:%d", e.File, e.Number)
	v.whole(v.Lines == 0 || e.Prev == v.hash)
	if v.Lines == 0 {
		v.First = e.Seq
		if e.Seq == 1 && e.Prev != "" {
			v.find(where, "line 1 names a line before it")
		}
	} else {
		v.follows(e, where)
	}
	v.Lines++
	if !slices.Contains(v.Hosts, e.Host) {
		v.Hosts = append(v.Hosts, e.Host)
	}
	v.awaits(e, where)
	v.prev, v.hash, v.where, v.Last = e.Line, hashOf(e.Text), where, max(v.Last, e.Seq)
	if e.Op == OpCheckpoint {
		v.checkpoint(e, where)
	}
}

// follows looks whether a line is the one after the line before.
func (v *verifier) follows(e Entry, where string) {
	switch last := v.prev.Seq; {
	case e.Seq == last+2:
		v.find(where, "line %d is missing", last+1)
	case e.Seq > last+1:
		v.find(where, "lines %d to %d are missing", last+1, e.Seq-1)
	case e.Seq <= last:
		v.find(where, "line %d comes after line %d: lines were put in, or are in another order", e.Seq, last)
	case e.Prev != v.hash:
		v.find(v.where, "line %d is not the one that line %d was written after: it was changed", last, e.Seq)
	}
}

// awaits looks how long lines wait for a checkpoint. One that comes after all is no
// excuse: a server that is started anew signs what it finds, and would so sign what
// somebody has written who took out all checkpoints. But a machine may sleep, a server
// may be down, and a clock may jump: no time between two lines counts for more than a
// server needs to sign.
func (v *verifier) awaits(e Entry, where string) {
	if !v.Waiting.IsZero() {
		v.waited += min(max(e.Time.Sub(v.prev.Time.Time), 0), interval)
	}
	if e.Op == OpStart || v.Waiting.IsZero() { // those that a crash has left wait until the server starts
		v.Waiting = e.Time.Time
	}
	if v.waited > longest && !v.late {
		v.late = true
		v.find(where, "no checkpoint for %s of work: they were taken out, or could not be written", v.waited.Round(time.Second))
	}
}

func (v *verifier) checkpoint(e Entry, where string) {
	message, signature, ok := signed(e.Text)
	if !ok {
		v.find(where, "the checkpoint has no signature")
		return
	}
	key, err := sshsig.Verify(signature, namespace, message)
	switch {
	case err != nil:
		v.find(where, "%v: this line was changed, or those before it were, and linked anew", err)
	case !slices.ContainsFunc(v.keys, func(k ssh.PublicKey) bool { return string(k.Marshal()) == string(key.Marshal()) }):
		v.find(where, "the checkpoint is signed with %s, which is no host key that is known", ssh.FingerprintSHA256(key))
	default:
		v.Covered, v.Waiting, v.waited, v.late = e.Seq, time.Time{}, 0, false
		if print := ssh.FingerprintSHA256(key); !slices.Contains(v.Signers, print) {
			v.Signers = append(v.Signers, print)
		}
	}
}
