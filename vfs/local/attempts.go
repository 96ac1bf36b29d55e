package local

import "sync"

// attempts knows the uploads under way by owner and name, so that at most one
// beginning of them is there to be resumed: that of the latest that counts. Its
// client may have begun anew while an old session was still open, and would else
// go on with the beginning of another file.
type attempts struct {
	mu   sync.Mutex // held while a partial is made or taken, and a stage saved
	last uint64
	live map[string]*rivals // by the name of the partial
}

// rivals are the attempts under way that would keep the same partial.
type rivals struct {
	count  int
	winner uint64 // the latest that started from nothing, was saved, kept or published
	saved  *stage // of one of them, or nil; see save
}

// attempt is one upload. The zero attempt, of nobody, keeps nothing.
type attempt struct {
	entry  string // of the partial that it would keep
	number uint64 // later ones have higher numbers
}

// begin notes an upload.
func (a *attempts) begin(owner, name string) attempt {
	if owner == "" {
		return attempt{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	mine := attempt{partialName(owner, name), a.last}
	if a.live == nil {
		a.live = make(map[string]*rivals)
	}
	if a.live[mine.entry] == nil {
		a.live[mine.entry] = new(rivals)
	}
	a.live[mine.entry].count++
	return mine
}

// win runs do, unless a later attempt has won, and makes mine the winner.
func (a *attempts) win(mine attempt, do func(*rivals) error) (won bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.live[mine.entry]
	if r == nil || r.winner > mine.number {
		return false, nil
	}
	if err := do(r); err != nil {
		return false, err
	}
	r.winner = mine.number
	return true, nil
}

// disown takes from an earlier attempt than mine what it has saved; the caller,
// who is winning, syncs the stage folder. It tells whether there was something.
func (r *rivals) disown(mine attempt) (bool, error) {
	if r.saved == nil || r.winner == mine.number {
		return false, nil
	}
	if err := r.saved.rename(stageName()); err != nil {
		return false, err
	}
	r.saved.saved.Store(0)
	r.saved = nil
	return true, nil
}

// release has no other attempt touch a stage that was saved.
func (a *attempts) release(mine attempt, st *stage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.live[mine.entry]; r != nil && r.saved == st {
		r.saved = nil
	}
}

// end forgets an attempt, whose stage was released.
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
