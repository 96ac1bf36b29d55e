package keys

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Who has ana's key and guesses codes has to wait longer and longer. She is not
// locked out, neither where she always is nor at the guesser's own address.
func TestWrongCodesLockNobodyOut(t *testing.T) {
	key := newKey(t)
	w := newWorld(t, Options{Accounts: []Account{{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey())), TOTPSecret: anasSecret}}})
	enter := func(from, code string) error {
		w.waited = nil
		return w.login(t, from, "ana", ssh.PublicKeys(key), answers(code)).err
	}
	for range 20 {
		if err := enter(away, "000000"); err == nil || !strings.Contains(err.Error(), "wrong code") {
			t.Fatal(err)
		}
		// The clock of the test stands still while they wait.
		for _, wait := range w.waited {
			w.forward(wait)
		}
	}
	if len(w.waited) == 0 || w.waited[0] < codeSteps().most/2 || w.waited[0] > longestQueue {
		t.Errorf("the last guess has waited %v", w.waited)
	}
	if err := enter(home, codeAt(t, w.now())); err != nil {
		t.Errorf("ana, at home: %v", err)
	}
	w.forward(codePeriod * time.Second)
	if err := enter(away, codeAt(t, w.now())); err != nil {
		t.Errorf("ana, from the guesser's address: %v", err)
	}
	w.forward(codePeriod * time.Second)
	for range 20 {
		enter("203.0.113.5:1", "000000")
	}
	if err := enter(home, codeAt(t, w.now())); err != nil || len(w.waited) > 0 {
		t.Errorf("ana, where she was before: %v, after a wait of %v", err, w.waited)
	}
}

// forward moves the clock.
func (w *world) forward(d time.Duration) {
	at := w.now().Add(d)
	w.now = func() time.Time { return at }
}

// Many connections at a time do not get around the wait.
func TestCodesAreJudgedOneByOne(t *testing.T) {
	used := NewUsedCodes()
	judged := 0
	for range 1000 {
		wait, err := used.wait("ana", addr(away), noon)
		if err == nil && wait <= longestQueue {
			judged++
		}
	}
	if judged > 10 {
		t.Errorf("%d guesses of one source within %v", judged, longestQueue)
	}
	judged = 0
	for i := range 1000 {
		if _, err := used.wait("ana", addr(fmt.Sprintf("10.0.%d.%d:1", i/250, i%250)), noon); err == nil {
			judged++
		}
	}
	if judged > 40 {
		t.Errorf("%d guesses of many sources within %v", judged, longestQueue)
	}
}

// What was used stays used when the server is started again.
func TestUsedCodesOutliveTheProcess(t *testing.T) {
	state, key := t.TempDir(), newKey(t)
	account := Account{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey())), TOTPSecret: anasSecret}
	for _, want := range []string{"", "used before", "used before"} {
		used, err := OpenUsedCodes(state, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, Options{Accounts: []Account{account}, UsedCodes: used})
		wantVerdict(t, w.login(t, home, "ana", ssh.PublicKeys(key), answers(codeAt(t, noon))), want, true)
	}
	path := filepath.Join(state, usedCodesName)
	if left, _ := filepath.Glob(path + "-*"); len(left) != 1 {
		t.Errorf("the codes that were used: %v", left)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenUsedCodes(state, nil); err == nil {
		t.Error("a broken file is taken for an empty one")
	}
}

// Servers that share a state folder accept a code once, whichever is asked, all at
// once and again after a restart.
func TestServersShareUsedCodes(t *testing.T) {
	state := t.TempDir()
	open := func() *UsedCodes {
		used, err := OpenUsedCodes(state, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return used
	}
	account, from := Account{Name: "ana", TOTPSecret: anasSecret}, net.Addr(nil)
	for round := range 40 {
		given := noon.Add(time.Duration(round) * codePeriod * time.Second)
		var good atomic.Int64
		var all sync.WaitGroup
		for range 3 {
			used := open()
			all.Go(func() {
				if used.use(account, codeAt(t, given), from, given) == nil {
					good.Add(1)
				}
			})
		}
		all.Wait()
		if n := good.Load(); n != 1 {
			t.Fatalf("round %d: accepted %d times", round, n)
		}
		if err := open().use(account, codeAt(t, given.Add(-codePeriod*time.Second)), from, given); !errors.Is(err, errUsedCode) {
			t.Errorf("an earlier one: %v", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(state, "*"))
	if err != nil || len(left) > keptPeriods+2 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

// elsewhere is what servers without a common state folder share.
type elsewhere struct {
	mu   sync.Mutex
	used map[string]bool
	away error
}

func (e *elsewhere) Claim(account string, period uint64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := fmt.Sprint(account, period)
	if e.away != nil || e.used[id] {
		return cmp.Or(e.away, fs.ErrExist)
	}
	e.used[id] = true
	return nil
}

// Servers with state folders of their own accept a code once, all together, if they
// record it elsewhere as well. While that is away no code is good; the same one is
// when it is back.
func TestServersShareUsedCodesElsewhere(t *testing.T) {
	common := &elsewhere{used: make(map[string]bool)}
	var servers []*UsedCodes
	for range 3 {
		used, err := OpenUsedCodes(t.TempDir(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		used.Share(common)
		servers = append(servers, used)
	}
	account := Account{Name: "ana", TOTPSecret: anasSecret}
	for round := range 20 {
		given := noon.Add(time.Duration(round) * codePeriod * time.Second)
		common.away = errors.New("the store is away")
		for _, s := range servers {
			if err := s.use(account, codeAt(t, given), nil, given); !errors.Is(err, errNotRecorded) {
				t.Errorf("while it is away: %v", err)
			}
		}
		common.away = nil
		var good atomic.Int64
		var all sync.WaitGroup
		for _, s := range servers {
			for range 2 {
				all.Go(func() {
					if s.use(account, codeAt(t, given), nil, given) == nil {
						good.Add(1)
					}
				})
			}
		}
		all.Wait()
		if n := good.Load(); n != 1 {
			t.Fatalf("round %d: accepted %d times", round, n)
		}
	}
}

// A code that cannot be recorded is not good: another server would take it, too.
func TestCodeThatCannotBeRecorded(t *testing.T) {
	state := filepath.Join(t.TempDir(), "gone")
	used, err := OpenUsedCodes(state, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := used.use(Account{Name: "ana", TOTPSecret: anasSecret}, codeAt(t, noon), nil, noon); !errors.Is(err, errNotRecorded) {
		t.Error(err)
	}
}

// Guessed passwords make the account's next ones wait, for a bounded time, also
// of one that does not exist; a key is never made to wait.
func TestPasswordsWait(t *testing.T) {
	key := newKey(t)
	w := newWorld(t, Options{Accounts: []Account{{
		Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey())), PasswordHash: hashOf(t, anasPassword),
	}}})
	for _, user := range []string{"ana", "bob"} {
		w.waited = nil
		for range 12 {
			if o := w.login(t, away, user, ssh.Password("wrong")); o.err == nil {
				t.Fatal("logged in")
			}
		}
		most := passwordSteps().most
		if !slices.IsSorted(w.waited) || len(w.waited) < 5 || w.waited[len(w.waited)-1] != most || w.waited[0] >= most/4 {
			t.Errorf("guesses at %s waited %v", user, w.waited)
		}
	}
	w.waited = nil
	if o := w.login(t, home, "ana", ssh.PublicKeys(key)); o.err != nil || len(w.waited) > 0 {
		t.Errorf("with her key ana waits %v (%v)", w.waited, o.err)
	}
	if o := w.login(t, home, "ana", answers(anasPassword)); o.err != nil || len(w.waited) != 1 {
		t.Errorf("with her password ana waits %v (%v)", w.waited, o.err)
	}
	w.waited = nil
	w.forward(2 * time.Hour)
	if o := w.login(t, home, "ana", ssh.Password(anasPassword)); o.err != nil || len(w.waited) > 0 {
		t.Errorf("hours later ana waits %v (%v)", w.waited, o.err)
	}
}

// A reload makes new accounts. What was guessed before is remembered, and the same
// account stands in for a name that does not exist.
func TestGuessesOutliveAReload(t *testing.T) {
	hash := hashOf(t, anasPassword)
	o := Options{Accounts: []Account{{Name: "ana", PasswordHash: hash}, {Name: "ben", PasswordHash: hash}}}
	before, w := newWorld(t, o), newWorld(t, o)
	for range 6 {
		before.login(t, away, "ana", ssh.Password("wrong"))
	}
	w.Follow(before.Accounts)
	if o := w.login(t, home, "ana", ssh.Password(anasPassword)); o.err != nil || len(w.waited) != 1 {
		t.Errorf("after a reload ana waits %v (%v)", w.waited, o.err)
	}
	for n := range 20 {
		name := fmt.Sprint("nobody", n)
		if a, b := before.find(name), w.find(name); a.Name != b.Name {
			t.Errorf("%s was judged as %s, and is judged as %s", name, a.Name, b.Name)
		}
	}
	w.Follow(nil)
}

// However many names are guessed at, so many are remembered: those most guessed.
func TestGuessesAreBounded(t *testing.T) {
	b := newBackoff(passwordSteps())
	for range 20 {
		b.wrong(noon, "ana")
	}
	for i := range maxGuessed * 3 / 2 {
		b.wrong(noon, fmt.Sprint(i))
	}
	if len(b.all) > maxGuessed {
		t.Errorf("%d are remembered", len(b.all))
	}
	if b.delay(noon, "ana") != passwordSteps().most {
		t.Error("who was guessed at most is forgotten")
	}
}

// A client that is asked and goes has not tried anything.
func TestNoAnswer(t *testing.T) {
	w := newWorld(t, Options{Accounts: []Account{{Name: "ana", PasswordHash: hashOf(t, anasPassword)}}})
	gone := func(string, string, []string, []bool) ([]string, error) { return nil, errors.New("gone") }
	_, err := w.Callbacks(t.Context(), nil).KeyboardInteractiveCallback(peer{user: "ana", from: home}, gone)
	if !errors.Is(err, ErrUnanswered) {
		t.Errorf("got %v", err)
	}
}
