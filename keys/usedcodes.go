package keys

import (
	"crypto/sha256"
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
	"strconv"
	"strings"
	"sync"
	"time"

	"shelf/keys/protected"
)

// usedCodesName starts the names of files in the state folder. Each stands for one
// code that was used:
//
//	used_codes-<account, as 32 digits of its SHA-256>-<period>
//
// It is made, empty, with O_EXCL before the code counts: servers that share the folder
// accept a code once, also over NFS, and also after a crash. It goes when no clock
// takes the code any more. An older version had all codes in one file of that name,
// which is read.
const usedCodesName = "used_codes"

// maxUsedCodes is the largest file of an older version that is read, in bytes.
const maxUsedCodes = 16 << 20

// keptPeriods is how long a file is kept, in periods: ten minutes, since the clocks
// of servers differ.
const keptPeriods = 20

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
	path      string // of the older version's file; "" is to forget with the process
	log       *slog.Logger
	bySource  *backoff // guesses at an account from a source
	byAccount *backoff // and from all sources together

	mu     sync.Mutex
	shared Claims                    // or nil; mu
	last   map[string]uint64         // period of the last code, by account; mu
	tidy   uint64                    // period in which old files were removed; mu
	home   map[string][]netip.Prefix // where the account logged in from, the latest last; mu
}

// Claims is where servers record which codes were used that do not share a state folder.
type Claims interface {
	// Claim records that an account has used the code of a period. The error is
	// [fs.ErrExist] if that, or a later one, was used before.
	Claim(account string, period uint64) error
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

// OpenUsedCodes remembers in the state folder, which servers may share. A code that
// cannot be recorded there is refused, and the log says why.
func OpenUsedCodes(state string, log *slog.Logger) (*UsedCodes, error) {
	u := NewUsedCodes()
	u.path, u.log = filepath.Join(state, usedCodesName), log
	content, err := protected.Read(u.path, maxUsedCodes, protected.Private)
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

// Share has codes be recorded elsewhere as well from now on; nil is nowhere else.
func (u *UsedCodes) Share(c Claims) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.shared = c
}

// use spends a code that was given at that time, or says why it is not good. While it
// is recorded where that may take long, other accounts go on.
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
	if err := u.claimShared(a.Name, of); err != nil {
		return u.refuse(a.Name, "the bucket must be reachable", err)
	}
	if err := u.claim(a.Name, of); err != nil {
		return u.refuse(a.Name, "the state folder must be writable", err)
	}
	u.last[a.Name] = max(of, u.last[a.Name])
	u.remember(a.Name, source)
	u.removeOld(of)
	return nil
}

// refuse says why a code was not recorded.
func (u *UsedCodes) refuse(account, needs string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return errUsedCode
	}
	u.log.Error("a one-time code was refused, since it cannot be recorded that it is used; "+needs, "account", account, "reason", err)
	return errNotRecorded
}

// claimShared records that a code is used where other servers see it. mu is held, but not
// while that is waited for: meanwhile the code counts as used here. If it can't be
// recorded it may be tried again.
func (u *UsedCodes) claimShared(account string, period uint64) error {
	if u.shared == nil {
		return nil
	}
	shared, before := u.shared, u.last[account]
	u.last[account] = period
	u.mu.Unlock()
	err := shared.Claim(account, period)
	u.mu.Lock()
	if err != nil && u.last[account] == period {
		u.last[account] = before
	}
	return err
}

// remember notes where an account logged in from. It is called with mu held.
func (u *UsedCodes) remember(account string, source netip.Prefix) {
	home := slices.DeleteFunc(u.home[account], func(p netip.Prefix) bool { return p == source })
	home = append(home, source)
	u.home[account] = home[max(0, len(home)-maxHome):]
}

// fileOf stands for a code that was used.
func (u *UsedCodes) fileOf(account string, period uint64) string {
	sum := sha256.Sum256([]byte(account))
	return fmt.Sprintf("%s-%x-%d", u.path, sum[:16], period)
}

// claim records that a code is used, on the disk. The error is fs.ErrExist if it, or
// a later one, was used before, by any server. It is called with mu held.
func (u *UsedCodes) claim(account string, period uint64) error {
	if u.path == "" {
		return nil
	}
	for later := period + 1; later <= period+2*codeSkew+1; later++ {
		if _, err := os.Lstat(u.fileOf(account, later)); err == nil {
			return fs.ErrExist
		}
	}
	f, err := os.OpenFile(u.fileOf(account, period), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(u.path))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(folder.Sync(), folder.Close(), f.Close())
}

// removeOld removes the files of codes that no clock takes any more, once a period.
// It is called with mu held.
func (u *UsedCodes) removeOld(now uint64) {
	if u.path == "" || u.tidy == now {
		return
	}
	u.tidy = now
	all, err := filepath.Glob(u.path + "-*-*")
	if err != nil {
		return
	}
	for _, file := range all {
		period, err := strconv.ParseUint(file[strings.LastIndexByte(file, '-')+1:], 10, 64)
		if err == nil && period+keptPeriods < now {
			os.Remove(file) // if not now, then the next time
		}
	}
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
