package keys

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"shelf/keys/protected"
)

// maxAuthorizedKeys is the size of the largest authorized_keys file, in bytes:
// some ten thousand keys. Any stranger's try to log in has it read.
const maxAuthorizedKeys = 1 << 20

// ErrNoKey is the error of a file that has no lines but empty ones and comments.
var ErrNoKey = errors.New("it lists no key that can log in")

// ErrPrivateKey is the error of a private key where a public key belongs.
var ErrPrivateKey = errors.New("this is a private key; the public one, from the .pub file beside it, is wanted")

// AuthorizedKeys is a file of keys in OpenSSH's format (sshd(8), "AUTHORIZED_KEYS
// FILE FORMAT"). It is looked at each time it is asked, and read anew if it is
// another than before, so a change takes effect at the next login. As long as it
// is the same, a file of many keys takes as long as one of few: the time must not
// tell whose file it is. It is safe for concurrent use.
type AuthorizedKeys struct {
	path   string // "" is none
	inline []authorizedKey
	log    *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	known  *keyList          // of the file as it was, and inline; mu
	stamp  fileStamp         // of the file then; mu
	warned [sha256.Size]byte // of the content whose faults have been logged; mu
}

// NewAuthorizedKeys makes one of a path. log gets a warning for each line that
// cannot be used, once for each content of the file.
func NewAuthorizedKeys(path string, log *slog.Logger) *AuthorizedKeys {
	return &AuthorizedKeys{path: path, log: log, now: time.Now}
}

// Add adds lines of the file's format that come from elsewhere. Unlike in a file,
// one that cannot be used is an error. It is for the time before the first login.
func (a *AuthorizedKeys) Add(lines ...string) error {
	for _, text := range lines {
		key, err := parseLine(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		a.inline = append(a.inline, key)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = nil
	return nil
}

// Path is the name of the file, "" for none.
func (a *AuthorizedKeys) Path() string { return a.path }

// exists tells whether the file exists.
func (a *AuthorizedKeys) exists() bool {
	_, err := os.Stat(a.path)
	return err == nil
}

// Check is nil if the file has a key that can log in now. The error says what is
// wrong with the file.
func (a *AuthorizedKeys) Check() error {
	if a.path == "" && len(a.inline) > 0 {
		return nil
	}
	content, err := protected.Read(a.path, maxAuthorizedKeys, protected.Public)
	if err != nil {
		return err
	}
	keys, faults := parseAuthorizedKeys(content)
	switch {
	case len(keys) > 0:
		return nil
	case isPrivateKey(content):
		return fmt.Errorf("%s: %w", a.path, ErrPrivateKey)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s: none of its lines is a key that can log in: %w", a.path, errors.Join(few(faults)...))
	}
	return fmt.Errorf("%s: %w", a.path, ErrNoKey)
}

// read returns the keys that the file lists now, and those added. No file at all
// lists none.
func (a *AuthorizedKeys) read() (*keyList, error) {
	if a == nil {
		return newKeyList(nil), nil
	}
	if a.path == "" {
		return a.list(fileStamp{}, func() ([]authorizedKey, error) { return nil, nil })
	}
	f, err := protected.Open(a.path, protected.Public)
	if err != nil {
		return newKeyList(a.inline), err
	}
	defer f.Close()
	stamp, err := stampOf(f)
	if err != nil {
		return newKeyList(a.inline), err
	}
	return a.list(stamp, func() ([]authorizedKey, error) {
		content, err := protected.ReadAll(f, a.path, maxAuthorizedKeys)
		if err != nil {
			return nil, err
		}
		keys, faults := parseAuthorizedKeys(content)
		a.warn(content, faults)
		return keys, nil
	})
}

// list is what is known of a file with that stamp, or else what is read.
func (a *AuthorizedKeys) list(stamp fileStamp, read func() ([]authorizedKey, error)) (*keyList, error) {
	a.mu.Lock()
	known := a.known
	same := known != nil && a.stamp == stamp
	a.mu.Unlock()
	if same {
		return known, nil
	}
	now := a.now()
	keys, err := read()
	if err != nil {
		return newKeyList(a.inline), err
	}
	list := newKeyList(append(keys, a.inline...))
	if stamp.settled(now) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.known, a.stamp = list, stamp
	}
	return list, nil
}

// warn logs the lines that are skipped, once and not at every login.
func (a *AuthorizedKeys) warn(content []byte, faults []error) {
	sum := sha256.Sum256(content)
	a.mu.Lock()
	news := a.warned != sum
	a.warned = sum
	a.mu.Unlock()
	if !news {
		return
	}
	for _, fault := range few(faults) {
		a.log.Warn("a line of authorized_keys is skipped", "file", a.path, "reason", fault)
	}
}

// few shortens a list of many faults: in a file that is something else than a
// list of keys, every line is a fault.
func few(faults []error) []error {
	const shown = 3
	if len(faults) <= shown {
		return faults
	}
	return append(faults[:shown:shown], fmt.Errorf("… and %d more", len(faults)-shown))
}

// parseAuthorizedKeys returns the keys of the lines that can be used and, for
// each other line, what is wrong with it. A line is not used if any part of it is
// not understood: that part may restrict the key.
func parseAuthorizedKeys(content []byte) (keys []authorizedKey, faults []error) {
	eachLine(content, func(number int, text string) error {
		key, fault := parseLine(text)
		if fault != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", number, fault))
		} else {
			key.number = number
			keys = append(keys, key)
		}
		return nil
	})
	if isPrivateKey(content) { // each of its lines is a fault
		faults = []error{ErrPrivateKey}
	}
	return keys, faults
}

// privateKey is how a private key begins, in the formats of OpenSSH and PuTTY.
var privateKey = regexp.MustCompile(`(?m)^-----BEGIN [A-Z ]*PRIVATE KEY-----|\APuTTY-User-Key-File-`)

// isPrivateKey tells whether a file holds a private key.
func isPrivateKey(content []byte) bool { return privateKey.Match(content) }

// eachLine calls f with the number and text of each line that is neither empty
// nor a comment. It stops when f fails.
func eachLine(content []byte, f func(number int, text string) error) error {
	number := 0
	for line := range bytes.SplitSeq(content, []byte("\n")) {
		number++
		if text := strings.TrimSpace(string(line)); text != "" && text[0] != '#' {
			if err := f(number, text); err != nil {
				return err
			}
		}
	}
	return nil
}
