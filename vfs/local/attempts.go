package local

import "sync"

// attempts knows the uploads under way by owner and name, so that one which
// ends late keeps nothing of it: its client may have begun anew meanwhile, and
// would go on with the beginning of another file.
type attempts struct {
	mu   sync.Mutex // held while a partial is made or taken
	last uint64
	live map[string]*rivals // by the name of the partial
}

// rivals are the attempts under way that would keep the same partial.
type rivals struct {
	count  int
	winner uint64 // the number of the latest that started from nothing, was kept or published
}

// attempt is one upload. The zero attempt, of nobody, keeps nothing.
type attempt struct {
	entry  string // of the partial that it would keep
	number uint64 // later ones have higher numbers
}

// begin notes an upload. It wins over all before it if it starts from nothing.
func (a *attempts) begin(owner, name string, fromNothing bool) attempt {
	if owner == "" {
		return attempt{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	mine := attempt{partialName(owner, name), a.last}
	r := a.live[mine.entry]
	if r == nil {
		r = new(rivals)
		if a.live == nil {
			a.live = make(map[string]*rivals)
		}
		a.live[mine.entry] = r
	}
	r.count++
	if fromNothing {
		r.winner = mine.number
	}
	return mine
}

// win runs do, unless a later attempt has won, and makes mine the winner.
func (a *attempts) win(mine attempt, do func() error) (won bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.live[mine.entry]
	if r == nil || r.winner > mine.number {
		return false, nil
	}
	if err := do(); err != nil {
		return false, err
	}
	r.winner = mine.number
	return true, nil
}

// end forgets an attempt.
func (a *attempts) end(mine attempt) {
	if mine.entry == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.live[mine.entry]; r.count == 1 {
		delete(a.live, mine.entry)
	} else {
		r.count--
	}
}
