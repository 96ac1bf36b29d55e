package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// An Entrance is how one account could log in, as its files are now.
type Entrance struct {
	Account string
	Ways    []string  // each is enough, as "2 keys" or "password + code"; nil is that nobody could
	Expires time.Time // when it ends; zero is never
	Err     error     // what is wrong with its keys, or why there are no Ways
}

// Expired tells whether the account has ended.
func (e Entrance) Expired(now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

// Entrances lists how each account could log in, sorted by name.
func (a *Accounts) Entrances() (all []Entrance) {
	names := make(map[string]bool)
	for _, name := range append(a.keyFileNames(), a.names...) {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, a.entrance(a.find(name).Account))
	}
	return all
}

func (a *Accounts) entrance(account Account) Entrance {
	e := Entrance{Account: account.Name, Expires: account.Expires}
	keys, err := a.usableKeys(account)
	for _, chain := range account.Methods {
		if way := account.way(chain, keys); way != "" && !slices.Contains(e.Ways, way) {
			e.Ways = append(e.Ways, way)
		}
	}
	// An account with another way to log in needs no file of keys.
	if !errors.Is(err, fs.ErrNotExist) || len(e.Ways) == 0 {
		e.Err = err
	}
	if len(e.Ways) == 0 && err == nil {
		e.Err = errors.New("all its keys have expired")
	}
	return e
}

// usableKeys says in words which keys of an account could log in now; "" is none.
func (a *Accounts) usableKeys(account Account) (string, error) {
	list, err := account.AuthorizedKeys.read()
	lines := list.lines
	keys, certificates := 0, a.o.TrustedUserCAKeys != ""
	for _, line := range lines {
		switch {
		case !line.expires.IsZero() && !a.now().Before(line.expires):
		case line.authority:
			certificates = true
		default:
			keys++
		}
	}
	if len(lines) == 0 && err == nil && account.AuthorizedKeys != nil {
		err = account.AuthorizedKeys.Check()
	}
	return keysInWords(keys, certificates), err
}

func keysInWords(keys int, certificates bool) string {
	var words []string
	switch {
	case keys == 1:
		words = append(words, "1 key")
	case keys > 1:
		words = append(words, fmt.Sprintf("%d keys", keys))
	}
	if certificates {
		words = append(words, "certificate")
	}
	return strings.Join(words, "/")
}

// way says in words what a chain takes; "" is that it takes a key and there is
// none.
func (a Account) way(chain Chain, keys string) string {
	var words []string
	for _, method := range chain {
		switch method {
		case publicKey:
			if keys == "" {
				return ""
			}
			words = append(words, keys)
		case password:
			words = append(words, "password")
		case interactive:
			if a.PasswordHash != "" && !slices.Contains(words, "password") {
				words = append(words, "password")
			}
			if a.TOTPSecret != "" {
				words = append(words, "code")
			}
		}
	}
	return strings.Join(words, " + ")
}
