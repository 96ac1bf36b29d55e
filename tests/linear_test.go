package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestLinearizable has eight clients put, get, list, rename and remove a few
// names at once, each with a connection of its own that is cut now and then,
// through a server that is stopped for a moment, and killed and started again
// every second or so. What they were told must be as if each request had been
// done at one moment.
func TestLinearizable(t *testing.T) {
	linear(t, &linearRun{dir: t.TempDir(), servers: 1}, 10*time.Second)
}

// TestLinearizableOverTwo is TestLinearizable with two servers, each asked by the
// clients in turns. One is killed while the other goes on, and the other after it.
func TestLinearizableOverTwo(t *testing.T) {
	linear(t, &linearRun{dir: t.TempDir(), servers: 2}, 8*time.Second)
}

// TestLinearizableInAndOut is TestLinearizable with two libraries of one account:
// each client works in both over one connection, with uploads open in both at once.
func TestLinearizableInAndOut(t *testing.T) {
	linear(t, &linearRun{dir: t.TempDir(), servers: 1, folders: []string{"in", "out"}}, 5*time.Second)
}

// linear runs for a time, or with -torture for ten minutes.
func linear(t *testing.T, r *linearRun, duration time.Duration) {
	t.Helper()
	if *torture {
		duration = 10 * time.Minute
	}
	if testing.Short() {
		duration = 2 * time.Second
	}
	r.seed = rand.Uint64()
	t.Logf("seed %d", r.seed)
	if err := r.fill(); err != nil {
		t.Fatal(err)
	}
	var checking sync.WaitGroup
	defer checking.Wait()
	requests, lives := 0, 0
	var some []*epoch
	for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); lives++ {
		epochs, err := r.epoch()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range epochs {
			requests += len(e.all)
			if some = append(some, e); len(some) > 20 {
				some = some[1:]
			}
			for _, w := range e.wrong {
				t.Error(w)
			}
			checking.Go(func() { e.check(t) })
		}
	}
	checking.Wait()
	t.Logf("%d requests in %d lives of the server", requests, lives)
	if !t.Failed() {
		control(t, some)
	}
}

// linearRun is one library, or several of one account, served again and again.
type linearRun struct {
	dir     string
	folders []string // of the libraries, in "/"; nil is one that is "/"
	forced  bool     // renameat2 refuses RENAME_NOREPLACE here
	servers int
	seed    uint64
	lives   int
	last    atomic.Uint32      // the number of the newest version
	from    map[string]library // what there is when no server runs, by folder
}

// epoch is one life of the server: all that was asked of a library from its start
// until it was dead, and what was found after that.
type epoch struct {
	folder string // of the library, in "/"
	large  bool   // its versions are sent to a bucket in parts
	from   library
	*history
}

// of is what the state of its files is kept by.
func (e *epoch) of() string {
	if e.large {
		return "/large"
	}
	return e.folder
}

// newEpoch begins one with what the last one has left.
func (r *linearRun) newEpoch(folder string) *epoch {
	return &epoch{folder: folder, from: r.from[folder], history: newHistory()}
}

// fill makes the libraries, with what nobody replaces.
func (r *linearRun) fill() error {
	r.from = make(map[string]library)
	for _, folder := range r.libraries() {
		path := filepath.Join(r.dir, "library", folder)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		for n := range stillFiles {
			if err := os.WriteFile(filepath.Join(path, stillName(n)), []byte("still"), 0o644); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(path, wanderer[0]), []byte("wandering"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// libraries are the names of the folders, "" for one that is "/".
func (r *linearRun) libraries() []string {
	if r.folders == nil {
		return []string{""}
	}
	return r.folders
}

func (r *linearRun) start() (*server, error) {
	libraries, rights := "library = \"library\"\n", "permissions = [\"admin\"]\n"
	if r.folders != nil {
		libraries, rights = "", "[accounts.ada.libraries]\n"
	}
	for _, folder := range r.folders {
		libraries += fmt.Sprintf("[libraries.%s]\npath = \"library/%[1]s\"\n", folder)
		rights += folder + " = [\"admin\"]\n"
	}
	return startConfigured(r.dir, `per_source_max_startups = 0
max_startups = "1000:30:1000"
`+libraries+`
[accounts.ada]
authorized_keys_file = "id.pub"
`+rights)
}

// epoch is one life of the server: what became of each library.
func (r *linearRun) epoch() (epochs []*epoch, err error) {
	r.lives++
	for _, folder := range r.libraries() {
		epochs = append(epochs, r.newEpoch(folder))
	}
	all, err := r.startAll()
	if err != nil {
		return nil, err
	}
	r.askAll(epochs, all)
	return epochs, r.look(epochs)
}

// askAll has the clients ask until the servers are dead.
func (r *linearRun) askAll(epochs []*epoch, servers []*server) {
	var stop atomic.Bool
	var turn atomic.Int64
	dial := func() (*client, error) { return servers[int(turn.Add(1))%len(servers)].connect() }
	var all sync.WaitGroup
	for i := range linearClients {
		l := &linearClient{id: i, both: epochs, last: &r.last, forced: r.forced, dial: dial,
			lot: rand.New(rand.NewPCG(r.seed, uint64(r.lives*linearClients+i)))}
		all.Go(func() { l.run(&stop) })
	}
	for _, e := range epochs {
		all.Go(func() { r.wander(e.folder, dial, &stop) })
	}
	lot := rand.New(rand.NewPCG(r.seed, uint64(r.lives)<<32))
	for _, s := range servers {
		for range 1 + lot.IntN(3) {
			time.Sleep(time.Duration(100+lot.IntN(400)) * time.Millisecond)
			s.cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(lot.IntN(100)) * time.Millisecond)
			s.cmd.Process.Signal(syscall.SIGCONT)
		}
		time.Sleep(time.Duration(lot.IntN(200)) * time.Millisecond)
		s.cmd.Process.Kill()
		<-s.exited
	}
	stop.Store(true)
	all.Wait()
}

func (r *linearRun) startAll() ([]*server, error) {
	first, err := r.start()
	if err != nil {
		return nil, err
	}
	all := []*server{first}
	for n := 2; n <= r.servers; n++ {
		s, err := first.another(n)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// wander renames the file that is never replaced. Where it is need not be known:
// after a rename without an answer it is tried under each name.
func (r *linearRun) wander(folder string, dial func() (*client, error), stop *atomic.Bool) {
	c, err := dial()
	if err != nil {
		return
	}
	defer c.close()
	for n := 0; !stop.Load(); n++ {
		from, to := inFolder(folder, wanderer[n%len(wanderer)]), inFolder(folder, wanderer[(n+1)%len(wanderer)])
		rename := c.Rename
		if n%2 == 0 {
			rename = c.PosixRename
		}
		rename(from, to) // it is no file of that name in the beginning
		time.Sleep(time.Millisecond)
	}
}

// look starts a server once more and takes down what is there: the end of these
// epochs, and the beginning of the next.
func (r *linearRun) look(epochs []*epoch) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.stop()
	for _, e := range epochs {
		if err := r.lookThrough(e, s.connect); err != nil {
			return err
		}
	}
	return nil
}

// lookThrough is look where servers go on.
func (r *linearRun) lookThrough(e *epoch, dial func() (*client, error)) (err error) {
	l := &linearClient{h: e.history, folder: e.folder, large: e.large, lot: rand.New(rand.NewPCG(r.seed, 1)), dial: dial}
	if l.c, err = l.dial(); err != nil {
		return err
	}
	defer l.drop()
	before := len(e.all)
	if err := l.list(); err != nil {
		return err
	}
	for n := range linearNames {
		if err := l.get(n); err != nil {
			return err
		}
	}
	var found library
	for _, o := range e.all[before:] {
		if q := o.Input.(asked); q.request == reqGet {
			if n := o.Output.(told).number; n != 0 {
				found.set(q.name, n, ^uint32(q.name))
			}
		}
	}
	r.from[e.of()] = found
	return nil
}

func (e *epoch) check(t *testing.T) {
	if result := linearizable(e.from, e.all, patience); result != porcupine.Ok {
		t.Errorf("the history of %d requests is not linearizable (%s), from %v:\n%s", len(e.all), result, e.from.names, e)
	}
}

// String is the history, with the requests marked that have no place in the
// longest order that there is.
func (e *epoch) String() (text string) {
	_, info := porcupine.CheckOperationsVerbose(model(e.from), e.all, patience)
	placed := make(map[porcupine.Operation]bool)
	state, order := e.from, ""
	if all := info.PartialLinearizationsOperations(); len(all) > 0 && len(all[0]) > 0 {
		longest := slices.MaxFunc(all[0], func(a, b []porcupine.Operation) int { return len(a) - len(b) })
		for _, o := range longest {
			placed[o] = true
			_, state = state.step(o.Input.(asked), o.Output.(told))
			order += fmt.Sprintf("%s -> %v\n", line(o), state.names)
		}
	}
	text = "not to be placed:\n"
	slices.SortFunc(e.all, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, o := range e.all {
		if !placed[o] {
			text += line(o) + "\n"
		}
	}
	return text + "after:\n" + order
}

// line is one request, from when to when in microseconds.
func line(o porcupine.Operation) string {
	q, a := o.Input.(asked), o.Output.(told)
	what := fmt.Sprintf("%d-%d client %d: %s %s", o.Call/1000, o.Return/1000, q.client, q.request, linearName(q.name))
	switch q.request {
	case reqPut, reqExcl:
		what += fmt.Sprintf(" version %d", q.version.number)
	case reqRename, reqLink, reqUnlink, reqTake, reqCopy, reqDrop:
		what += fmt.Sprintf(" %s replace %v", linearName(q.to), q.replace)
	}
	switch {
	case !a.known:
		return what + ": no answer"
	case a.outcome == noFile:
		return what + ": no such file"
	case a.outcome == taken:
		return what + ": the name is taken"
	case a.number != 0:
		return what + fmt.Sprintf(": version %d", a.number)
	case a.size != 0:
		return what + fmt.Sprintf(": %d bytes", a.size)
	}
	return what + ": done"
}

// control changes a history that was found right in ways that make it wrong.
// The checker must see each.
func control(t *testing.T, some []*epoch) {
	t.Helper()
	for _, e := range some {
		first, second, put := e.twoGets()
		if put < 0 {
			continue
		}
		t.Run("two gets with the answer of the other", func(t *testing.T) {
			all := slices.Clone(e.all)
			all[first].Output, all[second].Output = all[second].Output, all[first].Output
			e.mustBeWrong(t, all)
		})
		t.Run("a put that is not there", func(t *testing.T) {
			e.mustBeWrong(t, slices.Delete(slices.Clone(e.all), put, put+1))
		})
		t.Run("a version that never was", func(t *testing.T) {
			all := slices.Clone(e.all)
			all[first].Output = told{known: true, number: ^uint32(0)}
			e.mustBeWrong(t, all)
		})
		return
	}
	t.Error("nothing was put and got after another get had ended")
}

// twoGets finds a get that had ended before what another one got was put, and
// that put; put is -1 if there is none.
func (e *epoch) twoGets() (first, second, put int) {
	puts := make(map[uint32]int) // by version
	for i, o := range e.all {
		if q := o.Input.(asked); q.request == reqPut {
			puts[q.version.number] = i
		}
	}
	for second, o := range e.all {
		put, ok := puts[o.Output.(told).number]
		if !ok {
			continue
		}
		for first, p := range e.all {
			if p.Output.(told).number != 0 && p.Return < e.all[put].Call {
				return first, second, put
			}
		}
	}
	return 0, 0, -1
}

func (e *epoch) mustBeWrong(t *testing.T, all []porcupine.Operation) {
	t.Helper()
	// It may be that it cannot go through all ways in that time; a test that
	// meets that fails, too.
	if linearizable(e.from, all, 5*time.Second) == porcupine.Ok {
		t.Error("the checker finds it right")
	}
}
