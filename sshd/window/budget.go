package window

import "sync"

// Pool is what the windows of a server may take. What clients then really send is
// bounded by package backlog as well: a pool keeps windows from promising far more.
type Pool struct {
	size, share int64 // bytes: of all, and of an account

	mu    sync.Mutex // guards what follows
	taken int64
	by    map[string]int64 // by account
}

// NewPool is a pool of size bytes, of which no account gets more than three quarters.
func NewPool(size int64) *Pool {
	return &Pool{size: size, share: size / 4 * 3, by: make(map[string]int64)}
}

// Of is what an account may take.
func (p *Pool) Of(account string) Budget { return Budget{p, account} }

// Budget is what an account may take of a pool.
type Budget struct {
	pool    *Pool
	account string
}

// Take takes up to n bytes, and tells how many there were.
func (b Budget) Take(n int64) int64 {
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n = max(0, min(n, p.size-p.taken, p.share-p.by[b.account]))
	p.change(b.account, n)
	return n
}

// Give gives n bytes back.
func (b Budget) Give(n int64) {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	b.pool.change(b.account, -n)
}

// change counts; mu is held.
func (p *Pool) change(account string, n int64) {
	p.taken += n
	if p.by[account] += n; p.by[account] == 0 {
		delete(p.by, account)
	}
}

// Taken is how many bytes are taken.
func (p *Pool) Taken() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
