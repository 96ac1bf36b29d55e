package library

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shelf/cmd/shelfd/config"
)

// What expires is looked for in the libraries of all accounts that have one, which are
// closed again then; nothing goes while it can't be recorded, from what is held, or
// where files stay.
func TestExpire(t *testing.T) {
	folder := t.TempDir()
	s := configured(t, folder, map[string]string{"each": "each/%u/in", "all": "all", "held": "held", "stay": "stay"})
	age, none := &config.Age{Duration: time.Nanosecond}, &config.Age{}
	for name, l := range s.Libraries {
		l.ExpireAfter = age
		if name == "held" {
			l.Hold = &config.Hold{Always: true}
		}
		if name == "stay" {
			l.ExpireAfter = none
		}
		s.Libraries[name] = l
	}
	files := []string{"all/f", "each/ada/in/f", "each/bob/in/f", "held/f", "stay/f"}
	for _, file := range files {
		path := filepath.Join(folder, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("text"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "each", "eve"), 0o700); err != nil { // has no library yet
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // a tick of the file system's clock
	set := newSet(t, s)
	set.Open()
	unready, told := errors.New("the audit log can't be written"), []Expired(nil)
	e := &expiring{set: set, ready: func() error { return unready }, told: func(x Expired) error { told = append(told, x); return nil }, last: make(map[string]time.Time)}
	there := func() (all []string) {
		for _, file := range files {
			if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
				all = append(all, file)
			}
		}
		return all
	}
	now := time.Now()
	if e.round(context.Background(), now); len(there()) != len(files) || len(told) > 0 {
		t.Errorf("while nothing can be recorded: %v are there, told %v", there(), told)
	}
	unready = nil
	if e.round(context.Background(), now); len(there()) != len(files) {
		t.Error("it is not due again")
	}
	if e.round(context.Background(), now.Add(time.Second)); !slices.Equal(there(), []string{"held/f", "stay/f"}) {
		t.Errorf("there are %v", there())
	}
	accounts := make(map[string]string)
	for _, x := range told {
		if x.Err != nil || x.File.Name != "f" || x.File.Size != 4 || !x.Durable {
			t.Errorf("told %+v", x)
		}
		accounts[x.Library+" "+x.Account] = x.File.Name
	}
	if len(told) != 3 || accounts["all "] == "" || accounts["each ada"] == "" || accounts["each bob"] == "" {
		t.Errorf("told %v", accounts)
	}
	for _, account := range []string{"ada", "bob", "eve"} {
		if set.uses(filepath.Join(folder, "each", account, "in")) {
			t.Errorf("the library of %s is open", account)
		}
	}
	if !set.uses(filepath.Join(folder, "all")) {
		t.Error("the library that is for all is closed")
	}
	if _, err := os.Stat(filepath.Join(folder, "each", "eve", "in")); err == nil {
		t.Error("a library was made for this")
	}
}

// A hold that is set while a library is gone through holds what is left of it; and files that
// are to stay longer stay.
func TestSettingsChangeWhileFilesExpire(t *testing.T) {
	for what, change := range map[string]func(*config.Library){
		"hold":         func(l *config.Library) { l.Hold = &config.Hold{Always: true} },
		"expire_after": func(l *config.Library) { l.ExpireAfter = &config.Age{Duration: time.Hour} },
	} {
		folder := t.TempDir()
		s := configured(t, folder, map[string]string{"all": ""})
		next, l := s, s.Libraries["all"]
		l.ExpireAfter = &config.Age{Duration: time.Nanosecond}
		s.Libraries = map[string]config.Library{"all": l}
		change(&l)
		next.Libraries = map[string]config.Library{"all": l}
		for _, name := range []string{"f", "g"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("text"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Millisecond) // a tick of the file system's clock
		set, gone := newSet(t, s), 0
		set.Open()
		told := func(Expired) error {
			gone++
			set.Change(next)
			return nil
		}
		e := &expiring{set: set, ready: func() error { return nil }, told: told, last: make(map[string]time.Time)}
		if e.round(context.Background(), time.Now()); gone != 1 {
			t.Errorf("%s: %d files are gone", what, gone)
		}
	}
}
