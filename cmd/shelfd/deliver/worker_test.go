package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/cmd/shelfd/deliver/webhook"
)

// fake is a receiver in this process.
type fake struct {
	mu     sync.Mutex
	got    []string // ids, in the order in which they were delivered
	tries  int
	answer func(e *event) webhook.Answer
}

func (f *fake) send(_ context.Context, e *event) webhook.Answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	a := webhook.Answer{}
	if f.answer != nil {
		a = f.answer(e)
	}
	if a.Err == nil {
		f.got = append(f.got, e.ID)
	}
	return a
}

func (f *fake) close() {}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.got)
}

// place is an audit log, and a folder of journals.
type place struct {
	*testing.T
	log string
	seq int
	o   Options
}

func newPlace(t *testing.T) *place {
	dir := t.TempDir()
	p := &place{T: t, log: filepath.Join(dir, "audit")}
	p.o = Options{Folder: dir, Logs: []string{p.log}, Log: slog.New(slog.DiscardHandler), Once: true, Poll: 10 * time.Millisecond}
	return p
}

// put adds lines to the log, of files with these names.
func (p *place) put(names ...string) {
	p.Helper()
	f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	for _, name := range names {
		p.seq++
		if _, err := fmt.Fprintf(f, "%s\n", made(p, p.seq, "put", name, "").text); err != nil {
			p.Fatal(err)
		}
	}
}

// once delivers what there is, and tells whether something is left.
func (p *place) once(f *fake, change ...func(*Receiver)) bool {
	p.Helper()
	r := Receiver{Name: "test", sender: f, backoff: backoff{time.Millisecond, time.Millisecond}, concurrency: 4}
	for _, c := range change {
		c(&r)
	}
	w, err := newWorker(p.o, r)
	if err != nil {
		p.Fatal(err)
	}
	defer w.close()
	return w.run(p.Context())
}

func failing(names ...string) func(*event) webhook.Answer {
	return func(e *event) webhook.Answer {
		if slices.Contains(names, e.Name) {
			return webhook.Answer{Err: errors.New("no \x1b[2J")}
		}
		return webhook.Answer{}
	}
}

// A receiver that is new is told of what happens from then on; a failing event holds
// back those of its file, and others go on; all of that over restarts.
func TestWorker(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.put("old")
	if p.once(f) || f.count() > 0 {
		t.Error("a new receiver is told of the past")
	}
	f.answer = failing("b")
	p.put("a", "b", "c", "b", "c")
	if !p.once(f) {
		t.Error("nothing is left")
	}
	// Files do not wait for each other: only those of c have an order.
	if got := fmt.Sprint(f.got); !slices.Contains([]string{"[A-2 A-4 A-6]", "[A-4 A-2 A-6]", "[A-4 A-6 A-2]"}, got) {
		t.Errorf("delivered: %s", got)
	}
	s, _, err := readJournal(journalOf(p.o.Folder, "test"))
	if err != nil || told(s) != `A-3(no \x1b[2J) A-5 ` && !strings.HasPrefix(told(s), `A-3(no \x1b[2J) A-5`) {
		t.Errorf("the journal has %q (%v)", told(s), err)
	}
	time.Sleep(3 * time.Millisecond) // until it is due
	f.answer = nil
	if p.once(f) || !slices.Equal(f.got[3:], []string{"A-3", "A-5"}) {
		t.Errorf("at the end: %v", f.got)
	}
	// Again, from a number on.
	p.o.Replay = 4
	if p.once(f) || f.count() != 8 {
		t.Errorf("again: %v", f.got[5:])
	}
	p.o.Replay = 0
	if p.once(f) || f.count() != 8 {
		t.Errorf("without being asked to: %v", f.got[8:])
	}
}

// Logs of servers that come later are read, too: from their beginning, unless that is
// old.
func TestLogsOfLaterServers(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.o.Logs = []string{p.log + "-*"}
	p.log += "-blue"
	p.put("old")
	p.once(f)
	p.put("a")
	p.log = strings.Replace(p.log, "blue", "green", 1)
	p.put("b")
	if p.once(f) || len(f.got) != 2 {
		t.Errorf("%v", f.got)
	}
	if p.once(f) || len(f.got) != 2 {
		t.Errorf("%v", f.got)
	}
}

// What is told again comes before what still waits.
func TestReplayBeforeWaiting(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.once(f)
	p.put("a", "a")
	p.once(f)
	p.put("a")
	f.answer = failing("a")
	p.once(f)
	f.answer, f.got, p.o.Replay = nil, nil, 1
	if p.once(f) || !slices.Equal(f.got, []string{"A-1", "A-2", "A-3"}) {
		t.Errorf("%v", f.got)
	}
}

// What was not read yet is delivered, whatever number is to be gone back to.
func TestReplaySkipsNothing(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.put("old")
	p.once(f)
	p.put("a", "b", "c", "d")
	p.o.Replay = 4 // were not read yet
	if p.once(f) || f.count() != 4 {
		t.Errorf("delivered: %v", f.got)
	}
	p.o.Replay = 100 // behind the end
	p.put("e")
	if p.once(f) || f.count() != 5 {
		t.Errorf("delivered: %v", f.got)
	}
}

// A log that may not be read is not taken for one in which there is nothing.
func TestUnreadableLog(t *testing.T) {
	p := newPlace(t)
	loop := filepath.Join(filepath.Dir(p.log), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{loop, filepath.Join(filepath.Dir(p.log), "none", "audit*")} {
		p.o.Logs = []string{log}
		w, err := newWorker(p.o, Receiver{Name: "test", sender: &fake{}})
		if err == nil {
			w.close()
			t.Errorf("%s is read", log)
		}
	}
}

// Who is told to end lets a try end that is under way.
func TestEndsTries(t *testing.T) {
	p := newPlace(t)
	p.o.Once, p.o.Grace = false, patience
	done := filepath.Join(t.TempDir(), "done")
	r := Receiver{Name: "test", backoff: backoff{time.Second, time.Second}, concurrency: 1, sender: program{"test", []string{"/bin/sh", "-c", "echo > " + done + ".begun; sleep 0.3; echo > " + done}, patience}}
	w, err := newWorker(p.o, r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	p.put("a")
	ctx, end := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(done + ".begun"); err == nil {
				end()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if w.run(ctx) {
		t.Error("the event is left")
	}
	if _, err := os.Stat(done); err != nil {
		t.Error(err)
	}
}

// Filters.
func TestWanted(t *testing.T) {
	e := made(t, 1, "put", "a", "").Line
	for _, test := range []struct {
		filter
		want bool
	}{
		{filter{}, true},
		{filter{ops: []string{"rename", "put"}, libraries: []string{"in"}, accounts: []string{"ada"}, results: []string{"ok"}}, true},
		{filter{ops: []string{"rename"}}, false},
		{filter{libraries: []string{"out"}}, false},
		{filter{accounts: []string{"bob"}}, false},
		{filter{results: []string{"refused"}}, false},
	} {
		if test.wants(e) != test.want {
			t.Errorf("%+v", test)
		}
	}
	e.Op = "checkpoint"
	if (filter{}).wants(e) {
		t.Error("a checkpoint is an event")
	}
}

// 410 turns a receiver off, also for the next process, until somebody turns it on.
func TestGone(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.once(f)
	f.answer = func(*event) webhook.Answer { return webhook.Answer{Err: errors.New("gone"), Gone: true} }
	p.put("a", "b")
	one := func(r *Receiver) { r.concurrency = 1 }
	p.once(f, one)
	f.answer = nil
	if !p.once(f, one) || f.tries != 1 {
		t.Errorf("it was asked %d times", f.tries)
	}
	if p.once(f, func(r *Receiver) { r.enable = true }) || f.count() != 2 {
		t.Errorf("turned on again: %v", f.got)
	}
	if p.put("c"); p.once(f) || f.count() != 3 {
		t.Errorf("after that: %v", f.got)
	}
}

// Who asks to be left alone is.
func TestPause(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.once(f)
	f.answer = func(*event) webhook.Answer { return webhook.Answer{Err: errors.New("busy"), Pause: time.Hour} }
	p.put("a", "b")
	one := func(r *Receiver) { r.concurrency = 1 }
	if p.once(f, one); f.tries != 1 {
		t.Errorf("it was asked %d times", f.tries)
	}
	f.answer = nil
	if !p.once(f, one) || f.tries != 1 {
		t.Error("it was not left alone by the next process")
	}
}

func TestGivenUp(t *testing.T) {
	p, f := newPlace(t), &fake{answer: failing("a")}
	p.once(f)
	p.put("a", "a")
	never := func(r *Receiver) { r.giveUp = time.Nanosecond; r.concurrency = 1 }
	for i := 0; p.once(f, never); i++ {
		if i > 100 {
			t.Fatal("it is tried for ever")
		}
		time.Sleep(time.Millisecond)
	}
	if p.put("b"); p.once(f, never) || f.count() != 1 {
		t.Errorf("%v", f.got)
	}
}

// However long a receiver is down, no more is kept than the limit, the rest stays in
// the log, and nothing is lost.
func TestBounded(t *testing.T) {
	p, f := newPlace(t), &fake{}
	p.once(f)
	names := make([]string, maxWaiting+500)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	p.put(names...)
	f.answer = func(*event) webhook.Answer { return webhook.Answer{Err: errors.New("down"), Silent: true} }
	late := func(r *Receiver) { r.backoff = backoff{time.Hour, time.Hour} }
	if !p.once(f, late) {
		t.Error("nothing is left")
	}
	s, _, err := readJournal(journalOf(p.o.Folder, "test"))
	if err != nil || len(s.events) != maxWaiting {
		t.Errorf("%d wait (%v)", len(s.events), err)
	}
	f.answer = nil
	for _, e := range s.events { // an hour later
		e.due = time.Time{}
	}
	q := s.waiting()
	j, _, err := openJournal(journalOf(p.o.Folder, "test"))
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{queue: q, recorded: s.places, journal: j}
	if err := errors.Join(j.rewrite(w.snapshot()), j.close()); err != nil {
		t.Fatal(err)
	}
	if p.once(f) {
		t.Error("something is left")
	}
	slices.Sort(f.got)
	if got := slices.Compact(f.got); len(got) != len(names) {
		t.Errorf("%d of %d were delivered", len(got), len(names))
	}
}

// Commands get the event on stdin and in the environment; what they do to themselves
// stays with them.
func TestProgram(t *testing.T) {
	t.Setenv("SECRET", "x")
	t.Setenv("SHELF_NAME", "another")
	run := func(timeout time.Duration, script string) error {
		p := program{"test", []string{"/bin/sh", "-c", script, "name"}, timeout}
		return p.run(t.Context(), made(t, 7, "put", "a b; $(x)", "")).Err
	}
	if err := run(patience, `read -r line; case "$line" in *'"type":"shelf.put"'*) ;; *) exit 9;; esac
		test "$SHELF_NAME" = 'a b; $(x)' -a "$SHELF_OP" = put -a "$SHELF_SEQ" = 7 -a -z "$SECRET" -a "$SHELF_RECEIVER" = test`); err != nil {
		t.Error(err)
	}
	for script, want := range map[string]string{
		"echo no >&2; echo; exit 3":                    "ended with status 3: no",
		"head -c 1000000 /dev/zero; echo last; exit 1": "last",
		"kill -9 $$":           "signal: killed",
		"exec /does/not/exist": "status 127",
	} {
		if err := run(patience, script); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 2*maxSaid {
			t.Errorf("%s: %.200v", script, err)
		}
	}
	// With what it has started.
	mark := filepath.Join(t.TempDir(), "pid")
	if err := run(100*time.Millisecond, "sleep 1000 & echo $! > "+mark+"; wait"); err == nil || !strings.Contains(err.Error(), "did not end within") {
		t.Error(err)
	}
	pid, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what it started goes on")
		}
	}
	// One that leaves something in the background is done when it ends itself.
	if err := run(patience, "sleep 5 & exit 0"); err != nil {
		t.Error(err)
	}
}

const patience = time.Minute

func TestMessage(t *testing.T) {
	got := string(made(t, 7, "put", "a&b", "").message())
	want := `{"specversion":"1.0","id":"A-7","source":"//h/shelf","type":"shelf.put","subject":"in/a&b","time":"2026-01-01T00:00:00.000Z","sequence":"00000000000000000007","datacontenttype":"application/json","data":{`
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "}}") {
		t.Errorf("%s", got)
	}
}
