// Package budget shares out what a server has among the accounts that use it, so
// that one of them can't take it from the others.
//
//	budget.go  Budget: how much each account and all together may have
//	refused.go what is said when there is no more
//	turns.go   Turns: work of which only so much is done at a time
package budget

import "sync"

// Kind is something that there is only so much of.
type Kind int

const (
	Connections Kind = iota // that are logged in
	Channels                // sessions of SFTP and commands on them
	OpenFiles               // files, uploads and listings that are open, and commands
	Memory                  // bytes that clients can make the server hold

	kinds = iota
)

// Limit is how much there is of a kind.
type Limit struct {
	Account    int64  // what one account may have, on all its connections together
	All        int64  // what all may have together
	Setting    string // by which an operator sets Account
	AllSetting string // by which an operator sets All
}

// Limits are how much there is of each kind.
type Limits struct {
	Of [kinds]Limit

	// Several is that there is more than one account. Then none of them gets the
	// last quarter of anything, so that the others find something.
	Several bool
}

// account is what an account may have of a kind, and the setting that says so.
func (l Limits) account(k Kind) (most int64, setting string) {
	of := l.Of[k]
	share := of.All
	if l.Several {
		share -= of.All / 4
	}
	if share < of.Account {
		return share, of.AllSetting
	}
	return of.Account, of.Setting
}

// Budget counts what accounts have taken. It is safe for concurrent use.
type Budget struct {
	mu       sync.Mutex
	limits   Limits             // mu
	used     [kinds]int64       // by all; mu
	accounts map[string]*amount // by those that have a connection; mu
}

// amount is how much an account, or a connection, has of each kind.
type amount [kinds]int64

// New makes a budget of which nothing is taken.
func New(l Limits) *Budget {
	return &Budget{limits: l, accounts: make(map[string]*amount)}
}

// Change sets other limits. What is taken stays taken.
func (b *Budget) Change(l Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = l
}

// Used is how much of a kind is taken.
func (b *Budget) Used(k Kind) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used[k]
}

// Enter takes a connection for an account, and opens what it may take besides.
// most is how many connections the account may have, if that is less than others
// may; 0 is that it is not. The error is a [*Refused].
func (b *Budget) Enter(account string, most int64) (*Share, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Share{b: b, name: account, account: b.accounts[account]}
	if s.account == nil {
		s.account = new(amount)
	}
	if most > 0 && s.account[Connections] >= most {
		return nil, &Refused{Kind: Connections, Limit: most, Setting: "max_sessions of the account", one: true}
	}
	if err := s.take(Connections, 1); err != nil {
		return nil, err
	}
	b.accounts[account] = s.account
	return s, nil
}

// Share is what one connection takes of the budget of its account and of the
// server. It is safe for concurrent use. A nil Share is no limit at all.
//
// What a client has sent and nobody has read is Memory; package backlog takes it.
type Share struct {
	b       *Budget
	name    string
	account *amount // of all connections of the account; b.mu
	held    amount  // of this connection; b.mu
	left    bool    // b.mu
}

// Take takes n of a kind, or says why not: the error is a [*Refused].
func (s *Share) Take(k Kind, n int64) error {
	if s == nil {
		return nil
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.take(k, n)
}

// Some takes as much of a kind as there is, up to most, and tells how much.
func (s *Share) Some(k Kind, most int64) int64 {
	if s == nil {
		return most
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	l := s.b.limits
	mine, _ := l.account(k)
	n := max(0, min(most, mine-s.account[k], l.Of[k].All-s.b.used[k]))
	if s.take(k, n) != nil {
		return 0
	}
	return n
}

// take is called with b.mu held.
func (s *Share) take(k Kind, n int64) error {
	all := s.b.limits.Of[k]
	mine, setting := s.b.limits.account(k)
	switch { // n may be so large that a sum would overflow
	case s.left:
		return &Refused{Kind: k}
	case n > all.All-s.b.used[k]:
		return &Refused{Kind: k, Limit: all.All, Setting: all.AllSetting}
	case n > mine-s.account[k]:
		return &Refused{Kind: k, Limit: mine, Setting: setting, one: true}
	}
	s.add(k, n)
	return nil
}

// Give gives back n of a kind.
func (s *Share) Give(k Kind, n int64) {
	if s == nil {
		return
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if !s.left {
		s.add(k, -n)
	}
}

// add is called with b.mu held.
func (s *Share) add(k Kind, n int64) {
	s.held[k] += n
	s.account[k] += n
	s.b.used[k] += n
}

// Leave gives back all that the connection has, the connection itself as well.
func (s *Share) Leave() {
	if s == nil {
		return
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.left {
		return
	}
	for k, n := range s.held {
		s.add(Kind(k), -n)
	}
	s.left = true
	if s.account[Connections] == 0 {
		delete(s.b.accounts, s.name)
	}
}
