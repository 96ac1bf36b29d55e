package tests

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// The model of a library, by which histories are checked: a few names, each of
// which stands for a version or for nothing, and requests that look at it and
// change it at one moment between the call and the answer.
//
//	put       CLOSE of an upload: the name stands for the version
//	excl      the same with EXCL: only if the name stood for nothing
//	get       OPEN for reading: what is read, however slowly, is the version
//	          that the name stood for at that moment
//	look      STAT, and OPEN with EXCL: whether there is a file, and its size
//	rename    of two names at one moment. Where the file system cannot do that
//	          without replacing it is link and unlink, two moments, between
//	          which both names stand for the file; and the unlink removes
//	          nothing but what was linked
//	remove
//
// A request that had no answer has no end: it may come to be at any time or
// never. See listed for what a listing promises.

const (
	linearNames   = 5
	linearClients = 8
)

// library is a state of the model; it can be compared.
type library struct {
	names  [linearNames]uint32   // the number of a version, 0 is none
	linked [linearClients]uint32 // what a client's rename has linked and not unlinked yet
}

type request int

const (
	reqPut request = iota
	reqExcl
	reqGet
	reqLook
	reqRename
	reqLink
	reqUnlink
	reqRemove
)

func (r request) String() string {
	return [...]string{"put", "excl", "get", "look", "rename", "link", "unlink", "remove"}[r]
}

// asked is a request.
type asked struct {
	request request
	client  int
	name    int
	to      int     // of rename and link
	version version // of put and excl
	replace bool    // of rename
}

// told is what came of it.
type told struct {
	known   bool // there was one
	outcome outcome
	number  uint32 // of the version that was got
	size    int    // of the file that was seen; 0 is that it was not told
}

type outcome int

const (
	done outcome = iota
	noFile
	taken // the name stands for a file
)

// step is what the model answers: whether the answer can be, and what is then.
func (l library) step(q asked, a told) (bool, library) {
	is := l.names[q.name]
	next := l
	switch q.request {
	case reqGet:
		return a.outcome == done && is == a.number && is != 0 || a.outcome == noFile && is == 0, l
	case reqLook:
		if a.outcome == noFile {
			return is == 0, l
		}
		return is != 0 && (a.size == 0 || a.size == sizeOf(is)), l
	case reqPut:
		next.names[q.name] = q.version.number
		return true, next
	case reqExcl:
		switch refused := a.known && a.outcome == taken; {
		case is != 0:
			return refused || !a.known, l
		case refused:
			return false, l
		}
		next.names[q.name] = q.version.number
		return true, next
	case reqRemove:
		next.names[q.name] = 0
		return !a.known || (a.outcome == done) == (is != 0), next
	}
	return l.move(q, a)
}

// move is step for what a rename does. An error names one of two reasons; if
// there are both, either will do.
func (l library) move(q asked, a told) (bool, library) {
	is, next := l.names[q.name], l
	free := q.replace || l.names[q.to] == 0
	switch {
	case a.known && a.outcome == noFile:
		return is == 0, l
	case a.known && a.outcome == taken:
		return !free, l
	}
	can := is != 0 && free
	switch q.request {
	case reqRename:
		next.names[q.name], next.names[q.to] = 0, is
	case reqLink:
		next.names[q.to], next.linked[q.client] = is, is
	case reqUnlink:
		can = l.linked[q.client] != 0 && l.linked[q.client] == is
		next.names[q.name], next.linked[q.client] = 0, 0
	}
	if !can {
		return !a.known, l
	}
	return true, next
}

// sizeOf is the size of a version's file: what STAT tells of it.
func sizeOf(number uint32) int { return len(numbered(number).bytes()) }

// numbered is the version of a number. The sizes repeat; what is in it does not.
func numbered(number uint32) version { return version{number, number * 7919 % 20011} }

// history is what clients asked and were told, in the order of one clock.
type history struct {
	start time.Time
	mu    sync.Mutex // guards the rest
	all   []porcupine.Operation
	wrong []string // what no model is needed for
}

func newHistory() *history { return &history{start: time.Now()} }

func (h *history) now() int64 { return int64(time.Since(h.start)) }

// never is later than all that is in a history.
const never = 1 << 62

// add takes down a request that was sent at a time, and its answer, now.
func (h *history) add(called int64, q asked, a told) { h.addUntil(called, h.now(), q, a) }

func (h *history) addUntil(called, until int64, q asked, a told) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !a.known {
		until = never
	}
	h.all = append(h.all, porcupine.Operation{ClientId: q.client, Input: q, Call: called, Output: a, Return: until})
}

func (h *history) object(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// linearizable checks the requests, from the state that there was before them.
// Those without an answer make the search long: each may come to be at any time
// after. So it is first tried with fewer, and only if that fails with all.
func linearizable(from library, requests []porcupine.Operation, timeout time.Duration) porcupine.CheckResult {
	if result := porcupine.CheckOperationsTimeout(model(from), likely(requests), timeout); result == porcupine.Ok {
		return result
	}
	return porcupine.CheckOperationsTimeout(model(from), requests, timeout)
}

// likely are the requests without the puts that had no answer and of which
// nobody saw anything. Of those that somebody read it is known that they had
// come to be by then.
func likely(requests []porcupine.Operation) (all []porcupine.Operation) {
	seen := make(map[uint32]int64) // when a version was first read, at the latest
	for _, o := range requests {
		n := o.Output.(told).number
		if until, ok := seen[n]; n != 0 && (!ok || o.Return < until) {
			seen[n] = o.Return
		}
	}
	for _, o := range requests {
		if q := o.Input.(asked); o.Return == never && (q.request == reqPut || q.request == reqExcl) {
			until, ok := seen[q.version.number]
			if !ok {
				continue
			}
			o.Return = until
		}
		all = append(all, o)
	}
	return all
}

func model(from library) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return from },
		Step: func(state, input, output any) (bool, any) {
			return state.(library).step(input.(asked), output.(told))
		},
		Hash: func(state any) uint64 {
			hash := uint64(14695981039346656037) // FNV-1a
			for _, n := range state.(library).names {
				hash = (hash ^ uint64(n)) * 1099511628211
			}
			return hash
		},
		DescribeOperation: func(input, output any) string {
			return fmt.Sprintf("%+v: %+v", input, output)
		},
	}
}
