package history_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"shelf/vfs/bucket/history"
)

var start = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// told is what a store tells of some names. A text such as "a v1 v2 - v3 now" is a name with
// the times of what was made of it, a minute apart; "-" is a marker; the last one is the latest.
func told(names ...string) (all []history.Entry) {
	for _, text := range names {
		fields := strings.Fields(text)
		made := fields[1:]
		for i, id := range slices.Backward(made) {
			e := history.Entry{Key: fields[0], ID: id, Made: start.Add(time.Duration(i) * time.Minute), Latest: i == len(made)-1}
			if e.Marker = strings.HasPrefix(id, "-"); e.Marker {
				e.ID = "marker " + e.Made.String()
			}
			all = append(all, e)
		}
	}
	return all
}

// inPages tells entries so many at a time, markers after versions, and the last one of a page
// again, as some stores do.
func inPages(all []history.Entry, most int) history.Pages {
	return func(_ context.Context, from history.Mark) (p history.Page, err error) {
		begin := 0
		if from != (history.Mark{}) {
			begin = slices.IndexFunc(all, func(e history.Entry) bool { return e.Key == from.Key && e.ID == from.ID })
		}
		end := min(len(all), begin+most+1)
		p.Entries = slices.Clone(all[begin:end])
		slices.SortStableFunc(p.Entries, func(a, b history.Entry) int { return cmp.Compare(btoi(a.Marker), btoi(b.Marker)) })
		if end < len(all) {
			p.Next = history.Mark{Key: all[end-1].Key, ID: all[end-1].ID}
		}
		return p, nil
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ids(n history.Name) (all string) {
	for _, v := range n.Old {
		all += v.ID + " since " + v.Kept.Format("04") + ", "
	}
	return all
}

// Names come whole and with their versions in order, however the pages are cut.
func TestNames(t *testing.T) {
	all := told("a v0 v1 - v3 -", "b v0", "c -", "d v0 v1 v2 v3 v4")
	want := []string{"a: v3 since 04, v1 since 02, v0 since 01, ", "b: ", "c: ", "d: v3 since 04, v2 since 03, v1 since 02, v0 since 01, "}
	for most := 1; most < 20; most++ {
		var got []string
		for n, err := range history.Names(t.Context(), inPages(all, most)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, n.Key+": "+ids(n))
			if n.Now == nil || !n.Now.Latest {
				t.Errorf("%s stands for %+v now", n.Key, n.Now)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d at a time: %q", most, got)
		}
	}
	for _, key := range []string{"a", "absent"} {
		n, err := history.Of(t.Context(), key, inPages(all, 3))
		if err != nil || n.Key != key || len(n.Old) != map[string]int{"a": 3}[key] {
			t.Errorf("of %s there is %+v, %v", key, n, err)
		}
	}
}

// A store that fails, or that does not go on, ends the list with the reason.
func TestListThatEnds(t *testing.T) {
	away := errors.New("away")
	for name, read := range map[string]history.Pages{
		"failed": func(context.Context, history.Mark) (history.Page, error) { return history.Page{}, away },
		"stuck": func(context.Context, history.Mark) (history.Page, error) {
			return history.Page{Entries: told("a v0"), Next: history.Mark{Key: "a"}}, nil
		},
	} {
		failed := false
		for _, err := range history.Names(t.Context(), read) {
			failed = err != nil
		}
		if !failed {
			t.Errorf("%s: there was no error", name)
		}
	}
}

// What may stay no longer goes, with the markers that are older than all that stays; never
// what the name stands for.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules history.Rules
		gone  string // the times of it
	}{
		{"a v0 v1 v2 v3", history.Rules{PerName: 2}, "00"},
		{"a v0 v1 v2 v3", history.Rules{PerName: 3}, ""},
		{"a v0 v1 v2 -", history.Rules{PerName: 1}, "00 01"},
		{"a v0 - v2 - v4", history.Rules{PerName: 2}, ""},
		{"a v0 - v2 - v4", history.Rules{PerName: 1}, "00 01"},
		{"a v0 - - -", history.Rules{PerName: 1}, ""},
		{"a - - v2", history.Rules{PerName: 1}, "00 01"},
		{"a - - -", history.Rules{PerName: 1}, "00 01"},
		{"a -", history.Rules{PerName: 1}, ""},
		{"a v0", history.Rules{PerName: 1}, ""},
		// At ten minutes: v1 since eight, v0 since nine, and the removed one since seven.
		{"a v0 v1 v2", history.Rules{PerName: 9, MaxAge: 8*time.Minute + time.Second}, "00"},
		{"a v0 v1 v2", history.Rules{PerName: 9, MaxAge: time.Second}, "00 01"},
		{"a v0 v1 v2 -", history.Rules{PerName: 9, MaxAge: 7*time.Minute + time.Second}, "00 01"},
		{"a v0 - v2", history.Rules{PerName: 9, MaxAge: 8*time.Minute + 30*time.Second}, "00 01"},
	} {
		n, err := history.Of(t.Context(), "a", inPages(told(c.name), 100))
		if err != nil {
			t.Fatal(err)
		}
		var gone []string
		for _, e := range c.rules.Beyond(n, start.Add(10*time.Minute)) {
			gone = append(gone, e.Made.Format("04"))
			if e.Latest {
				t.Errorf("%s, %+v: the latest goes", c.name, c.rules)
			}
		}
		if slices.Sort(gone); strings.Join(gone, " ") != c.gone {
			t.Errorf("%s, %+v: gone are %q, want %q", c.name, c.rules, gone, c.gone)
		}
	}
	// Removed and put again within a second, and replaced long after: it is kept since that.
	again := told("a v0 - v2 v3")
	again[2].Made = again[1].Made
	n, _ := history.Of(t.Context(), "a", inPages(again, 100))
	if gone := (history.Rules{PerName: 1, MaxAge: 7*time.Minute + time.Second}).Beyond(n, start.Add(10*time.Minute)); len(gone) != 1 || gone[0].ID != "v0" {
		t.Errorf("of one that was put again at once, gone are %+v", gone)
	}

	unknown := told("a v0 v1 v2")
	for i := range unknown {
		unknown[i].Latest = false
	}
	n, _ = history.Of(t.Context(), "a", inPages(unknown, 100))
	if gone := (history.Rules{PerName: 1}).Beyond(n, start.Add(time.Hour)); len(gone) > 0 {
		t.Errorf("where nobody knows which is the latest, gone are %+v", gone)
	}
}
