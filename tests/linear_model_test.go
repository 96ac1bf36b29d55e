package tests

import (
	"fmt"
	"iter"
	"slices"
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
//	take, copy, drop  the moments of a rename in a bucket: it reads what the old name
//	          stands for; the new name stands for a copy; and the old one for nothing,
//	          if it still is what was read
//	remove
//
// A request that had no answer has no end: it may come to be at any time or
// never. See listed for what a listing promises.

const (
	linearNames   = 5
	linearClients = 8
	linearRenames = 40 // of two moments each, at a time
)

// library is a state of the model; it can be compared.
type library struct {
	names  [linearNames]uint32   // the number of a version, 0 is none
	made   [linearNames]uint32   // which making of it: a copy is another one
	linked [linearRenames]uint32 // what a rename has linked or taken, and not unlinked yet
	taken  [linearRenames]uint32 // the number of what a rename has taken, and not copied yet
}

// set has a name stand for a version.
func (l *library) set(name int, number, made uint32) { l.names[name], l.made[name] = number, made }

type request int

const (
	reqPut request = iota
	reqExcl
	reqGet
	reqLook
	reqRename
	reqLink
	reqUnlink
	reqTake
	reqCopy
	reqDrop
	reqRemove
)

func (r request) String() string {
	return [...]string{"put", "excl", "get", "look", "rename", "link", "unlink", "take", "copy", "drop", "remove"}[r]
}

// asked is a request.
type asked struct {
	request request
	client  int
	name    int
	to      int     // of rename, and its two moments
	version version // of put, excl and copy
	replace bool    // of rename
	slot    int     // of which rename a moment is
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
		next.set(q.name, q.version.number, q.version.number)
		return true, next
	case reqExcl:
		switch refused := a.known && a.outcome == taken; {
		case is != 0:
			return refused || !a.known, l
		case refused:
			return false, l
		}
		next.set(q.name, q.version.number, q.version.number)
		return true, next
	case reqRemove:
		next.set(q.name, 0, 0)
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
		next.set(q.name, 0, 0)
		next.set(q.to, is, l.made[q.name])
	case reqLink:
		next.set(q.to, is, l.made[q.name])
		next.linked[q.slot] = is
	case reqUnlink:
		can = l.linked[q.slot] != 0 && l.linked[q.slot] == is
		next.set(q.name, 0, 0)
		next.linked[q.slot] = 0
	case reqTake:
		can = is != 0
		next.taken[q.slot], next.linked[q.slot] = is, l.made[q.name]
	case reqCopy:
		can = free && l.taken[q.slot] != 0
		next.set(q.to, l.taken[q.slot], q.version.number)
		next.taken[q.slot] = 0
	case reqDrop:
		can = l.linked[q.slot] != 0 && l.taken[q.slot] == 0
		if l.linked[q.slot] == l.made[q.name] {
			next.set(q.name, 0, 0)
		}
		next.linked[q.slot] = 0
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
	start, probable := time.Now(), likely(requests)
	// A choice that explains the history is mostly found at once, and that another does
	// not can take for ever. So all get little time, and then all get more.
	for limit := timeout / 120; limit < timeout/4; limit *= 4 {
		for some := range choices(probable) {
			if result := porcupine.CheckOperationsTimeout(model(from), some, limit); result == porcupine.Ok {
				return result
			}
			if time.Since(start) > timeout {
				break
			}
		}
	}
	if result := porcupine.CheckOperationsTimeout(model(from), probable, timeout); result == porcupine.Ok {
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

// maxChoices is how many ways are tried of what became of requests without an answer.
const maxChoices = 200

// choices are the requests with some of those that had no answer. Of a rename in a
// bucket there may be the first moments without the last. Each that is there has come to
// be some time, which makes a search short; a history that none of them explains is
// searched with all.
func choices(requests []porcupine.Operation) iter.Seq[[]porcupine.Operation] {
	var known []porcupine.Operation
	var doubtful [][]porcupine.Operation // one after the other of each
	for _, o := range requests {
		q := o.Input.(asked)
		switch {
		case o.Return != never:
			known = append(known, o)
			continue
		case q.request != reqCopy && q.request != reqDrop:
			doubtful = append(doubtful, nil)
		}
		// Its moments were taken down one after the other, by one client.
		i := slices.IndexFunc(doubtful, func(d []porcupine.Operation) bool {
			return len(d) > 0 && d[0].Input.(asked).slot == q.slot && d[0].Call == o.Call
		})
		if i < 0 {
			i = len(doubtful) - 1
		}
		o.Output = told{known: true}
		doubtful[i] = append(doubtful[i], o)
	}
	return func(yield func([]porcupine.Operation) bool) {
		for n := range maxChoices {
			some := slices.Clone(known)
			for _, d := range doubtful {
				all := len(d) + 1
				some = append(some, d[:n%all]...)
				n /= all
			}
			if n > 0 || !yield(some) { // all ways were tried
				return
			}
		}
	}
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
