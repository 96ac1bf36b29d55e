package access

// state is what has become of an upload under way, and of its name.
//
//	  opened
//	    │
//	    ▼      another is opened     ┌─────────┐ written ┌─────────┐
//	┌───────┐ ─────────────────────▶ │ covered │ ──────▶ │ revised │
//	│ named │ ◀───────────────────── └─────────┘ ◀────── └─────────┘
//	└───────┘   that one is gone          │     another        │
//	    │       (from revised, too)       │ that one           │ that one
//	    │                                 │ publishes          │ publishes
//	    │                                 ▼                    ▼
//	    │                            ┌─────────┐ written ┌─────────┐
//	    │                            │  late   │ ──────▶ │  rival  │
//	    │                            └─────────┘         └─────────┘
//	    │
//	    ▼  the name is removed, renamed or replaced (from any of these)
//	┌─────────┐
//	│ dropped │      A call that panics makes any of them torn.
//	└─────────┘
//
// CLOSE publishes an upload that is named, covered, revised or a rival; so among
// rivals the last CLOSE wins. It does not publish one that is late or dropped:
// the client has written the file anew since, or removed it. The client is told
// OK then, and the log what happened. CLOSE of one that is torn fails.
//
// CLOSE under a temporary name may hold an upload instead of publishing it. From
// then on it is covered, overtaken and dropped like a published file: RENAME
// publishes it, and overtaken or dropped it ends at once. See temporary.go.
type state int

const (
	named   state = iota // its name stands for it
	covered              // another upload of its name was opened over it
	revised              // the same, and this one was written to since
	late                 // the one above has published first
	rival                // the same, but this one was written to since it was covered
	held                 // closed under a temporary name, which may be renamed
	dropped              // its name stands for something else
	torn                 // a call into it has not returned: it panicked
	ended
	states
)

// turn is what can happen to an upload.
type turn int

const (
	isCovered   turn = iota // another upload of its name is opened
	isUncovered             // the one above it has ended and published nothing
	isWritten               // its content changes
	isOvertaken             // one above it has published
	isDropped               // its name is removed, renamed or replaced
	isHeld                  // it is closed, and waits for a RENAME
	isTorn                  // a call panics
	isClosed
	turns
)

// next is the state that follows a turn. An upload that is late or a rival is not
// in the stack of its name any more: what is opened there later does not cover
// it.
var next = [states][turns]state{
	//        covered uncovered written overtaken dropped held torn closed
	named:   {covered, named, named, late, dropped, held, torn, ended},
	covered: {covered, named, revised, late, dropped, held, torn, ended},
	revised: {covered, named, revised, rival, dropped, held, torn, ended},
	late:    {late, late, rival, late, dropped, late, torn, ended},
	rival:   {rival, rival, rival, rival, dropped, held, torn, ended},
	held:    {held, held, held, late, dropped, held, torn, ended},
	dropped: {dropped, dropped, dropped, dropped, dropped, dropped, torn, ended},
	torn:    {torn, torn, torn, torn, torn, torn, torn, ended},
	ended:   {ended, ended, ended, ended, ended, ended, ended, ended},
}

// turn puts an upload into its next state.
func (w *Writer) turn(t turn) { w.state = next[w.state][t] }

// outcome is how an upload ends that a client closes, or one that was held.
type outcome int

const (
	publish  outcome = iota
	leaveOut         // nothing is published, and that is right
	fail
)

var outcomes = [states]outcome{
	named: publish, covered: publish, revised: publish, rival: publish, held: publish,
	late: leaveOut, dropped: leaveOut,
	torn: fail, ended: fail,
}
