package audit

import (
	"time"

	"shelf/sshd"
)

// The operations that no client does.
const (
	OpStart      = "start"      // the server has started
	OpStop       = "stop"       // it has stopped as it was told to
	OpReload     = "reload"     // it has read its settings again
	OpKick       = "kick"       // an operator has ended connections
	OpUnban      = "unban"      // an operator has forgotten penalties
	OpDrain      = "drain"      // an operator has the server take no new connections
	OpDiscard    = "discard"    // an operator has dropped a file from quarantine
	OpCheckpoint = "checkpoint" // the lines so far are signed
	OpLost       = "lost"       // lines could not be written before this one
	OpRecovered  = "recovered"  // a file was published, and its line was missing
)

// ByServer is what the server itself has done. program is its version.
func ByServer(op, program string, err error) sshd.Event {
	return sshd.Event{Op: op, Time: time.Now(), Program: program, Err: err}
}

// ByOperator is what an operator has done, or tried to do: a person on the
// server's machine, or a signal. who is that person, such as "ada (uid 1000)".
// The caller adds what was acted on: Conn and Account of a kick, Source of an
// unban; and Note, the reason that the operator gave.
func ByOperator(op, who string, err error) sshd.Event {
	return sshd.Event{Op: op, Time: time.Now(), Operator: who, Err: err}
}
