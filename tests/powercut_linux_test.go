package tests

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/tests/powercut"
)

var powercutSeed = flag.Uint64("powercut.seed", 0, "what the power cuts are drawn from; 0 is another each time")

const (
	cutWriters = 2 // in each library
	cutNames   = 3 // of each writer
)

// TestPowerCut cuts the power at random moments while clients work, draws from
// each cut some of the disks that may be found afterwards, starts a server on
// each and judges what its clients find: what was acknowledged, no file that
// is torn or mixed, and nothing left of an upload but what its owner can go on
// with, to the intended end. In every other library renameat2 refuses
// RENAME_NOREPLACE, and two of three keep versions of files that are replaced. In every other round, and the first, two servers share the libraries.
func TestPowerCut(t *testing.T) {
	r := round{libraries: 25, cuts: 2, states: 4}
	rounds := 1
	if *torture {
		r.states, rounds = 6, 40 // 1,000 cuts with RENAME_NOREPLACE and 1,000 without
	}
	if testing.Short() {
		r.cuts, r.states = 1, 1
	}
	var all verdict
	for n := range rounds {
		r.two = n%2 == 0
		all.add(r.run(t))
	}
	t.Logf("%d requests acknowledged, %d cuts, %d disks, %d of them bad", all.requests, all.cuts, all.disks, len(all.bad))
	for kind, n := range all.kinds {
		t.Errorf("%d times: %s", n, kind)
	}
	for _, b := range all.bad[:min(len(all.bad), 10)] {
		t.Error(b)
	}
}

// TestPowerCutControl leaves out one kind of sync at a time, as if the server
// did not do it: the judge must see it each time.
func TestPowerCutControl(t *testing.T) {
	for what, ignore := range map[string]func(path string) bool{
		"stages":        func(path string) bool { return strings.Count(path, "/") == 2 },
		"stage folders": func(path string) bool { return strings.HasPrefix(path, ".shelf") && strings.Count(path, "/") < 2 },
		"files":         func(path string) bool { return path != "." && path != "" && !strings.HasPrefix(path, ".shelf") },
		"the directory": func(path string) bool { return path == "." },
	} {
		t.Run(what, func(t *testing.T) {
			r := round{libraries: 10, cuts: 1, states: 2, ignore: ignore}
			for range 20 {
				if v := r.run(t); len(v.bad) > 0 {
					t.Logf("%d of %d disks are bad, such as:\n%s", len(v.bad), v.disks, v.bad[0])
					return
				}
			}
			t.Error("nobody sees that this sync is left out")
		})
	}
}

// round is one server, its libraries, and the cuts of each.
type round struct {
	libraries int // each on a disk of its own, and cut at moments of its own
	cuts      int // of each library
	states    int // disks drawn from a cut by each model
	ignore    func(path string) bool
	two       bool // servers share the libraries
}

type verdict struct {
	requests, cuts, disks int
	bad                   []string       // of each bad disk all there is to say
	kinds                 map[string]int // what is wrong, without names and numbers
}

var nameOrNumber = regexp.MustCompile(`w\d+-[a-z]\S*|\d+`)

// object adds what is wrong with one disk.
func (v *verdict) object(wrong []string, story string) {
	kinds := make(map[string]int)
	for _, w := range wrong {
		kinds[nameOrNumber.ReplaceAllString(w, "_")]++
	}
	v.add(verdict{bad: []string{strings.Join(wrong, "\n") + "\n" + story}, kinds: kinds})
}

func (v *verdict) add(w verdict) {
	v.requests += w.requests
	v.cuts += w.cuts
	v.disks += w.disks
	v.bad = append(v.bad, w.bad...)
	if v.kinds == nil {
		v.kinds = make(map[string]int)
	}
	for kind, n := range w.kinds {
		v.kinds[kind] += n
	}
}

// cutLibrary is one library on a disk of its own, and its writers.
type cutLibrary struct {
	account  string
	disk     *powercut.Disk
	forced   bool // renameat2 refuses RENAME_NOREPLACE
	versions int  // so many are kept of each name
	writers  []*writer
	cuts     []cutMoment

	mu sync.Mutex // see writer
}

// cutMoment is a cut, and what was known then.
type cutMoment struct {
	disk  *powercut.Cut
	known []known
	logs  []string // what each writer did last
}

func (r round) run(t *testing.T) verdict {
	t.Helper()
	needFUSE(t)
	seed := *powercutSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-powercut.seed %d", seed)
	dir := t.TempDir()
	libraries := r.mount(t, dir, seed)
	s, err := startConfigured(dir, cutConfig(libraries, func(l *cutLibrary) string { return l.folder(dir) }, "fsync"))
	if err != nil {
		t.Fatal(err)
	}
	servers := []*server{s}
	if r.two {
		other, err := s.another(2)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, other)
	}
	v := r.work(t, servers, libraries, seed)
	for _, s := range servers {
		s.cmd.Process.Kill() // there is nothing more to learn from it
		<-s.exited
	}
	for _, l := range libraries {
		if err := l.disk.Unmount(); err != nil {
			t.Error(err)
		}
	}
	v.add(r.judge(t, libraries, seed))
	return v
}

// mount makes the libraries, each a file system.
func (r round) mount(t *testing.T, dir string, seed uint64) (all []*cutLibrary) {
	for i := range r.libraries {
		l := &cutLibrary{account: fmt.Sprintf("a%d", i), forced: i%2 == 1, versions: i % 3}
		if err := os.Mkdir(l.folder(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		l.disk, err = powercut.Mount(l.folder(dir), powercut.Options{IgnoreSync: r.ignore, NoRenameNoReplace: l.forced})
		if err != nil {
			t.Fatal(err)
		}
		for n := range cutWriters {
			id := i*cutWriters + n
			w := &writer{id: id, mu: &l.mu, lot: rand.New(rand.NewPCG(seed, uint64(id))), now: known{acked: make(holdings)}}
			for k := range cutNames {
				name := fmt.Sprintf("w%d-%c", n, 'a'+k)
				w.names = append(w.names, name)
				w.now.acked[name] = holding{}
			}
			l.writers = append(l.writers, w)
		}
		all = append(all, l)
	}
	return all
}

func (l *cutLibrary) folder(dir string) string { return filepath.Join(dir, l.account) }

// cutConfig is a server with all libraries, each in the folder that is told.
func cutConfig(libraries []*cutLibrary, folder func(*cutLibrary) string, durability string) string {
	var toml strings.Builder
	fmt.Fprintf(&toml, "partial_min_size = %d\ndurability = %q\nper_source_max_startups = 0\nmax_startups = \"1000:30:1000\"\n", smallPartial, durability)
	for _, l := range libraries {
		fmt.Fprintf(&toml, "[libraries.%s]\npath = %q\nkeep_versions = %d\n[accounts.%s]\nlibrary = %q\nauthorized_keys_file = \"id.pub\"\npermissions = [\"admin\"]\n",
			l.account, folder(l), l.versions, l.account, l.account)
	}
	return toml.String()
}

// work has the writers work until each library was cut often enough.
func (r round) work(t *testing.T, servers []*server, libraries []*cutLibrary, seed uint64) (v verdict) {
	t.Helper()
	var all sync.WaitGroup
	for i, l := range libraries {
		lot := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		over := make(chan struct{})
		all.Go(func() {
			defer close(over)
			for range r.cuts {
				l.cut(lot)
			}
		})
		for n, w := range l.writers {
			w.dial = func() (*client, error) { n++; return servers[n%len(servers)].connectAs(l.account) }
			all.Go(func() {
				if err := w.work(over); err != nil {
					t.Errorf("%s: %v\n%s", l.account, err, strings.Join(w.log, "\n"))
				}
			})
		}
	}
	all.Wait()
	for _, l := range libraries {
		for _, w := range l.writers {
			v.requests += w.now.requests
		}
	}
	return v
}

// work does one thing after the other until all is over.
func (w *writer) work(over <-chan struct{}) error {
	defer func() {
		if w.c != nil {
			w.c.close()
		}
	}()
	for {
		select {
		case <-over:
			return nil
		default:
			if err := w.step(); err != nil {
				return err
			}
		}
	}
}

// cut waits until the writers have done something, and a random time more.
func (l *cutLibrary) cut(lot *rand.Rand) {
	until := l.requests() + 10 + lot.IntN(60)
	for deadline := time.Now().Add(patience); l.requests() < until && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(lot.IntN(3000)) * time.Microsecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	m := cutMoment{disk: l.disk.Cut()}
	for _, w := range l.writers {
		m.known = append(m.known, w.now)
		m.logs = append(m.logs, strings.Join(w.log[max(0, len(w.log)-25):], "\n"))
	}
	l.cuts = append(l.cuts, m)
}

func (l *cutLibrary) requests() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.writers {
		n += w.now.requests
	}
	return n
}

// judge starts a server for each state, with that of all libraries at once.
func (r round) judge(t *testing.T, libraries []*cutLibrary, seed uint64) (v verdict) {
	t.Helper()
	v.cuts = r.cuts * len(libraries)
	var mu sync.Mutex // guards v
	var all sync.WaitGroup
	atOnce := make(chan struct{}, 2)
	for cut := range r.cuts {
		for _, model := range powercut.Models() {
			for state := range r.states {
				atOnce <- struct{}{}
				all.Go(func() {
					defer func() { <-atOnce }()
					w, err := judgeAll(t, libraries, cut, model, rand.New(rand.NewPCG(seed, uint64(2000+100*cut+state))))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					v.add(w)
				})
			}
		}
	}
	all.Wait()
	return v
}

// judgeAll draws one disk of each library and judges them.
func judgeAll(t *testing.T, libraries []*cutLibrary, cut int, model powercut.Model, lot *rand.Rand) (v verdict, err error) {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir)
	images := make([]*powercut.Image, len(libraries))
	for i, l := range libraries {
		images[i] = l.cuts[cut].disk.Draw(model, lot)
		if err := images[i].Write(l.folder(dir)); err != nil {
			return v, err
		}
	}
	// Nothing is cut any more, so nothing needs to be synced.
	s, err := startConfigured(dir, cutConfig(libraries, func(l *cutLibrary) string { return l.folder(dir) }, "none"))
	if err != nil {
		return v, err
	}
	defer func() {
		s.cmd.Process.Kill()
		<-s.exited
	}()
	for i, l := range libraries {
		m := l.cuts[cut]
		wrong, err := s.judge(l, dir, m, model)
		if err != nil {
			return v, err
		}
		v.disks++
		if len(wrong) > 0 {
			v.object(wrong, fmt.Sprintf("%s, RENAME_NOREPLACE refused: %v, cut %d, %s\nof what was not synced, there was not:\n%s\nthe writers did last:\n%s",
				l.account, l.forced, cut, model, strings.Join(images[i].Lost, "\n"), strings.Join(m.logs, "\n--\n")))
		}
	}
	return v, nil
}

// judge looks at one library.
func (s *server) judge(l *cutLibrary, dir string, m cutMoment, model powercut.Model) (wrong []string, err error) {
	c, err := s.connectAs(l.account)
	if err != nil {
		return nil, err
	}
	defer c.close()
	j := judge{c: c, account: l.account, library: l.folder(dir), known: m.known, half: l.forced || model == powercut.Strict}
	if err := j.judge(); err != nil {
		// What it has found, and that it could not go on.
		j.object("%v", err)
	}
	return j.wrong, nil
}

// needFUSE is need for the FUSE of the kernel.
func needFUSE(t *testing.T) {
	t.Helper()
	_, err := os.Stat("/dev/fuse")
	switch {
	case err == nil:
	case mustHaveAll():
		t.Fatal("FUSE is needed, and in CI it must be there: ", err)
	default:
		t.Skip("FUSE is needed: ", err)
	}
}
