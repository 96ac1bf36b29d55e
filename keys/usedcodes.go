package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// usedCodesName is the file in the state folder.
const usedCodesName = "used_codes"

// maxUsedCodes is the largest such file that is read, in bytes.
const maxUsedCodes = 16 << 20

// codeSteps are how long one source has to wait that gives wrong codes for an
// account, and accountSteps how long all have to that it never logged in from
// before. Only who has given another proof, a key or a password, can give a code
// at all; and there are but a million codes.
func codeSteps() steps { return steps{free: 3, first: time.Second, most: 8 * time.Second} }

func accountSteps() steps {
	return steps{free: 10, first: 250 * time.Millisecond, most: 2 * time.Second}
}

// UsedCodes remembers the last code that each account has used, so that none
// can be used again (RFC 6238 section 5.2), and makes those wait who guess. It is
// safe for concurrent use.
//
// Nobody is locked out: one source's guesses do not make another wait from which
// the account has logged in before, and a right code is good after the wait.
type UsedCodes struct {
	path      string // "" is to forget with the process
	log       *slog.Logger
	bySource  *backoff // guesses at an account from a source
	byAccount *backoff // and from all sources together

	mu   sync.Mutex
	last map[string]uint64         // period of the last code, by account; mu
	home map[string][]netip.Prefix // where the account logged in from, the latest last; mu
}

// maxHome is how many sources of an account are remembered.
const maxHome = 8

// NewUsedCodes remembers nothing yet, and only as long as the process lives.
func NewUsedCodes() *UsedCodes {
	return &UsedCodes{
		log: slog.New(slog.DiscardHandler), bySource: newBackoff(codeSteps()), byAccount: newBackoff(accountSteps()),
		last: make(map[string]uint64), home: make(map[string][]netip.Prefix),
	}
}

// OpenUsedCodes remembers in a file of the state folder, which is made when the
// first code is used. What goes wrong with it then goes to the log.
func OpenUsedCodes(state string, log *slog.Logger) (*UsedCodes, error) {
	u := NewUsedCodes()
	u.path, u.log = filepath.Join(state, usedCodesName), log
	content, err := readSecure(u.path, maxUsedCodes, ownerOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &u.last)
	}
	if err != nil {
		return nil, fmt.Errorf("the list of used codes %s: %w; without it codes of the last minute would be good again", u.path, err)
	}
	if u.last == nil {
		u.last = make(map[string]uint64)
	}
	return u, nil
}

// wait is how long a code for an account has to wait before it is judged.
func (u *UsedCodes) wait(account string, from net.Addr, now time.Time) (time.Duration, error) {
	source := network(from)
	wait, err := u.bySource.queue(now, account+" "+source.String())
	if err != nil || u.knows(account, source) {
		return wait, err
	}
	other, err := u.byAccount.queue(now, account)
	if err != nil {
		u.bySource.forgive(now, account+" "+source.String())
	}
	return max(wait, other), err
}

func (u *UsedCodes) knows(account string, source netip.Prefix) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Contains(u.home[account], source)
}

// use spends a code that was given at that time, or says why it is not good.
func (u *UsedCodes) use(a Account, code string, from net.Addr, given time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	of, ok := periodOf(a.TOTPSecret, code, uint64(given.Unix())/codePeriod)
	if !ok {
		return errWrongCode
	}
	source := network(from)
	u.bySource.forget(a.Name + " " + source.String())
	if !slices.Contains(u.home[a.Name], source) {
		u.byAccount.forgive(given, a.Name)
	}
	if of <= u.last[a.Name] {
		return errUsedCode
	}
	u.last[a.Name] = of
	u.remember(a.Name, source)
	if err := u.save(); err != nil {
		u.log.Error("a one-time code that was used could not be recorded; after a restart it would be good again", "account", a.Name, "reason", err)
	}
	return nil
}

// remember notes where an account logged in from. It is called with mu held.
func (u *UsedCodes) remember(account string, source netip.Prefix) {
	home := slices.DeleteFunc(u.home[account], func(p netip.Prefix) bool { return p == source })
	home = append(home, source)
	u.home[account] = home[max(0, len(home)-maxHome):]
}

// save writes the file: the whole of it beside the old one, to the disk, and then
// in its place, so that a crash leaves one or the other. It is called with mu held.
func (u *UsedCodes) save() (err error) {
	if u.path == "" {
		return nil
	}
	content, err := json.Marshal(u.last)
	if err != nil {
		return err
	}
	if err := writeSynced(u.path+".new", content); err != nil {
		return err
	}
	if err := os.Rename(u.path+".new", u.path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(u.path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// network is what counts as one source: an address of IPv4, or a /64 of IPv6.
func network(from net.Addr) netip.Prefix {
	address, ok := AddressOf(from)
	if !ok {
		return netip.Prefix{}
	}
	if address.Is4() {
		return netip.PrefixFrom(address, 32)
	}
	return netip.PrefixFrom(address, 64).Masked()
}
