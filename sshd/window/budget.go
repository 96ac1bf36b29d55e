package window

import "sync"

// Budget is bytes that a window may be wider by.
type Budget interface {
	// Take takes up to n bytes, and tells how many there were.
	Take(n int64) int64
	// Give gives n bytes back.
	Give(n int64)
}

// Pools are what the windows of a server may take: those of channels that are in
// use, and those of channels that rest.
type Pools struct{ Active, Resting *Pool }

// NewPools divides so many bytes. No account gets more than three quarters of them.
func NewPools(size int64) Pools {
	resting := size / 4
	active := size - resting
	return Pools{NewPool(active, active/4*3), NewPool(resting, resting/4*3)}
}

// Pool is a Budget of its own, with a share for each account.
type Pool struct {
	size, share int64 // bytes: of all, and of an account

	mu    sync.Mutex // guards what follows
	taken int64
	by    map[string]int64 // by account
}

// NewPool is a pool of size bytes, of which an account may have up to share.
func NewPool(size, share int64) *Pool {
	return &Pool{size: size, share: share, by: make(map[string]int64)}
}

// Of is the budget of an account.
func (p *Pool) Of(account string) Budget { return part{p, account} }

// part is what an account may take of a pool.
type part struct {
	pool    *Pool
	account string
}

// Take implements [Budget].
func (b part) Take(n int64) int64 {
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n = max(0, min(n, p.size-p.taken, p.share-p.by[b.account]))
	p.change(b.account, n)
	return n
}

// Give implements [Budget].
func (b part) Give(n int64) {
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
