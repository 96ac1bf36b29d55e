package deliver

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/cmd/shelfd/deliver/tail"
)

// told is what a state says, as text.
func told(s *state) string {
	var b strings.Builder
	for _, e := range s.order {
		if s.events[e.ID] == e {
			b.WriteString(e.ID)
			if e.tries > 0 {
				b.WriteString("(" + e.reason + ")")
			}
			b.WriteString(" ")
		}
	}
	b.WriteString(s.places["log"].ID + " " + s.off)
	return strings.TrimSpace(b.String())
}

func steps(t *testing.T) []record {
	read := func(last string, all ...*event) record {
		r := record{Read: &reading{Log: "log", Place: tail.Place{ID: last}}, At: time.Now()}
		for _, e := range all {
			r.Read.Events = append(r.Read.Events, json.RawMessage(e.text))
		}
		return r
	}
	off := "gone"
	return []record{
		read("A-2", made(t, 1, "put", "a", ""), made(t, 2, "put", "b", "")),
		{Failed: &failure{ID: "A-1", Tries: 1, Reason: "no"}},
		read("A-2", made(t, 1, "put", "a", "")), // read again
		{Delivered: "A-2", At: time.Now()},
		read("A-5", made(t, 3, "put", "c", "")),
		{Dropped: "A-3"},
		{Off: &off, At: time.Now()},
	}
}

// Cut or damaged anywhere, a journal says what held after some step, and no later step
// without the ones before it.
func TestJournalCutAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, s, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{told(s)}
	for _, r := range steps(t) {
		if err := j.write(r); err != nil {
			t.Fatal(err)
		}
		s.apply(r)
		want = append(want, told(s))
	}
	j.close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if last := want[len(want)-1]; last != "A-1(no) A-5 gone" {
		t.Fatalf("at the end: %s", last)
	}
	for cut := 0; cut < len(text); cut += 1 + rand.N(40) {
		for _, damage := range []string{"", "\x00\x00\x00\n{\"delivered\":\"A-1\"}\n"} {
			if err := os.WriteFile(path, append(text[:cut:cut], damage...), 0o600); err != nil {
				t.Fatal(err)
			}
			j, s, err := openJournal(path)
			if err != nil {
				t.Fatal(err)
			}
			whole := strings.Count(string(text[:cut]), "\n")
			if got := told(s); got != want[whole] {
				t.Fatalf("cut at %d: %q, want %q", cut, got, want[whole])
			}
			j.write(record{Dropped: "A-2"})
			j.close()
			if again, _, err := readJournal(path); err != nil || again.cut > 0 {
				t.Fatalf("cut at %d: what was written behind it: %v, %d", cut, err, again.cut)
			}
		}
	}
}

// A new file that has what counts takes the place of the old one; after a failure to
// write that is how it goes on.
func TestJournalRewritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, s, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range steps(t) {
		j.write(r)
		s.apply(r)
	}
	j.file.Close() // from here on nothing can be written
	if j.write(record{Dropped: "A-1"}) == nil || j.sync() == nil {
		t.Error("a closed file is written")
	}
	w := &worker{queue: s.waiting(), off: s.off, recorded: s.places, journal: j}
	if err := j.rewrite(w.snapshot()); err != nil {
		t.Fatal(err)
	}
	if err := j.write(record{Dropped: "A-9"}); err != nil {
		t.Error(err)
	}
	j.close()
	if again, _, err := readJournal(path); err != nil || told(again) != told(s) {
		t.Errorf("%q, want %q (%v)", told(again), told(s), err)
	}
}
