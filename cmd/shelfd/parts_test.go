package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shelf/cmd/shelfd/config"
	"shelf/sshd"
)

// What a reload cannot change is said, each by its name and place.
func TestReloadRefusesWhatNeedsARestart(t *testing.T) {
	const (
		top    = "listen = \":2222\"\nstate = \"/s\"\n"
		tables = "[libraries.a]\npath = \"/a\"\n[libraries.b]\npath = \"/b\"\n"
		later  = "; that takes a restart of the server"
	)
	was, err := load(t, top+tables)
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct{ after, want string }{
		"what a reload can change": {top + "max_sessions = 3\n" + tables, ""},
		"an address":               {strings.Replace(top, "2222", "2223", 1) + tables, "1:1: listen is now :2223" + later},
		"other libraries":          {top + strings.Replace(tables, "/b", "/c", 1) + "[libraries.d]\npath = \"/d\"\n", ""},
		"several": {top + "audit_log = \"/l\"\nsandbox = \"off\"\nquota = 5\n" + tables, "3:1: audit_log is now /l" + later +
			"\n4:1: sandbox is now off" + later},
		"the state": {strings.Replace(top, "/s", "/t", 1) + tables, "2:1: state is now /t" + later},
	} {
		next, err := load(t, test.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		err = nil
		all := newServer(was, slog.New(slog.DiscardHandler), io.Discard)
		for _, p := range all.parts[2:] { // without those that read keys, if they are accepted
			if p == part(&all.hostKeys) && was.State == next.State {
				continue
			}
			_, refused := p.reload(was, next)
			err = errors.Join(err, refused)
		}
		if err != nil {
			got = regexp.MustCompile(`\S*shelfd\.toml:`).ReplaceAllString(err.Error(), "")
		}
		if got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, test.want)
		}
	}
}

// fake is a part that records what it is asked to do.
type fake struct {
	name  string
	fails string // what it fails to do
	told  *[]string
}

func (f fake) tell(what string) error {
	*f.told = append(*f.told, what+" "+f.name)
	if f.fails == what {
		return errors.New(f.name + " fails")
	}
	return nil
}

func (f fake) check(config.Settings) error { return f.tell("check") }
func (f fake) open(config.Settings) error  { return f.tell("open") }
func (f fake) close()                      { f.tell("close") }

func (f fake) reload(_, _ config.Settings) (func() error, error) {
	return func() error { return f.tell("commit") }, f.tell("prepare")
}

// Every part is asked, in order. Where one fails, nothing is left half done.
func TestPartsHaveOneLife(t *testing.T) {
	for _, test := range []struct {
		what  func(*server) error
		fails string // what b fails to do
		want  string
	}{
		{(*server).check, "", "check a, check b, check c"},
		{(*server).check, "check", "check a, check b, check c"},
		{(*server).open, "", "open a, open b, open c"},
		{(*server).open, "open", "open a, open b, close a"},
		{(*server).reload, "", "prepare a, prepare b, prepare c, commit a, commit b, commit c"},
		{(*server).reload, "prepare", "prepare a, prepare b, prepare c"},
		{func(s *server) error { err := s.open(); s.close(); s.close(); return err }, "",
			"open a, open b, open c, close c, close b, close a"},
	} {
		var told []string
		s := &server{parts: []part{fake{"a", "", &told}, fake{"b", test.fails, &told}, fake{"c", "", &told}}}
		if err := test.what(s); (err != nil) != (test.fails != "") {
			t.Errorf("b fails to %q: got %v", test.fails, err)
		}
		if got := strings.Join(told, ", "); got != test.want {
			t.Errorf("b fails to %q: got %s, want %s", test.fails, got, test.want)
		}
	}
}

// SIGHUP opens the audit log anew even if the configuration has a mistake: the
// file may have been renamed, and events must not go on in the old one.
func TestAuditLogIsReopenedInSpiteOfAMistake(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit")
	s, err := load(t, "audit_log = \""+log+"\"\n")
	if err != nil {
		t.Fatal(err)
	}
	all := newServer(s, slog.New(slog.DiscardHandler), io.Discard)
	if err := all.audit.open(s); err != nil {
		t.Fatal(err)
	}
	defer all.audit.close()
	if err := errors.Join(os.Rename(log, log+".1"), os.WriteFile(s.File, []byte("mistake = 1\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := all.hangUp("SIGHUP"); err == nil || !strings.Contains(err.Error(), `there is no setting "mistake"`) {
		t.Errorf("got %v", err)
	}
	all.audit.report(sshd.Event{Op: "login"})
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "login") {
		t.Errorf("the new file has %q (%v)", text, err)
	}
}
