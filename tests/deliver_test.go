package tests

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// deliverer is a process of shelfd deliver.
type deliverer struct {
	cmd    *exec.Cmd
	stderr *output
	exited chan struct{}
	exit   error
}

// deliver starts one for the configuration of a server, with more arguments.
func (s *server) deliver(args ...string) (*deliverer, error) {
	d := &deliverer{stderr: newOutput(), exited: make(chan struct{})}
	d.cmd = exec.Command("shelfd", append([]string{"deliver", "--config", filepath.Join(s.dir, "shelfd.toml"), "--state", s.state}, args...)...)
	d.cmd.Stderr = d.stderr
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		d.exit = d.cmd.Wait()
		close(d.exited)
	}()
	return d, nil
}

// ready waits until it reads the log.
func (d *deliverer) ready(t *testing.T) {
	t.Helper()
	eventually(t, "events are delivered", func() bool {
		select {
		case <-d.exited:
			t.Fatalf("it ended: %v\n%s", d.exit, d.stderr)
		default:
		}
		return strings.Contains(d.stderr.String(), "events are delivered")
	})
}

// stop ends it as a service manager does.
func (d *deliverer) stop(t *testing.T) {
	t.Helper()
	d.cmd.Process.Signal(os.Interrupt)
	<-d.exited
	if d.exit != nil {
		t.Errorf("shelfd deliver ended with %v\n%s", d.exit, d.stderr)
	}
}

// kill ends it as nothing does.
func (d *deliverer) kill() {
	d.cmd.Process.Kill()
	<-d.exited
}

// delivery is an event as a receiver gets it.
type delivery struct {
	SpecVersion, ID, Source, Type, Subject, Sequence string
	Data                                             struct {
		Seq                          uint64
		ID, Op, Name, Target, SHA256 string
	}
}

// receiver is an HTTP server that is told of events, and looks at each signature.
type receiver struct {
	addr   string
	secret string
	public ed25519.PublicKey

	mu      sync.Mutex
	http    *http.Server
	naughty naughty    // nil: it says yes to all
	got     []delivery // those it has said yes to, in their order
	tries   int        // all requests
	wrong   []string   // what was wrong with some
}

// naughty answers a request otherwise than with a yes; false is that it has not.
type naughty func(w http.ResponseWriter, r *http.Request, e delivery) bool

// behave sets how it answers from now on.
func (r *receiver) behave(how naughty) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.naughty = how
}

// newReceiver makes one, with files of its secret and key in a folder.
func newReceiver(t *testing.T, dir, name string) *receiver {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	r := &receiver{secret: "whsec_" + base64.StdEncoding.EncodeToString(secret), public: public}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, name+".secret"), []byte(r.secret+"\n"), 0o600),
		os.WriteFile(filepath.Join(dir, name+".key"), []byte("whsk_"+base64.StdEncoding.EncodeToString(private)+"\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	r.up(t)
	t.Cleanup(r.down)
	return r
}

// up has it listen, where it did before.
func (r *receiver) up(t *testing.T) {
	at := r.addr
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addr, r.http = l.Addr().String(), &http.Server{Handler: r}
	go r.http.Serve(l)
}

func (r *receiver) down() {
	r.mu.Lock()
	h := r.http
	r.mu.Unlock()
	h.Close()
}

// table is its table in the configuration.
func (r *receiver) table(name, more string) string {
	return fmt.Sprintf("[[deliver]]\nname = %q\nurl = \"http://%s/hook\"\nsecret_file = \"%[1]s.secret\"\nkey_file = \"%[1]s.key\"\nallow_networks = [\"127.0.0.0/8\"]\n%[3]s\n", name, r.addr, more)
}

// ServeHTTP implements [http.Handler].
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var e delivery
	if err == nil {
		err = errors.Join(r.verify(body, req.Header), json.Unmarshal(body, &e))
	}
	if err == nil && (e.ID != req.Header.Get("webhook-id") || e.ID != e.Data.ID || e.SpecVersion != "1.0" || e.Type != "shelf."+e.Data.Op) {
		err = fmt.Errorf("it contradicts itself: %s", body)
	}
	r.mu.Lock()
	r.tries++
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
	}
	naughty := r.naughty
	r.mu.Unlock()
	if naughty != nil && naughty(w, req, e) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, e)
}

// verify looks at both signatures: the library of Standard Webhooks at one, Go's own
// at the other.
func (r *receiver) verify(body []byte, head http.Header) error {
	verifier, err := standardwebhooks.NewWebhook(r.secret)
	if err != nil {
		return err
	}
	if err := verifier.Verify(body, head); err != nil {
		return err
	}
	message := fmt.Sprintf("%s.%s.%s", head.Get("webhook-id"), head.Get("webhook-timestamp"), body)
	for _, one := range strings.Fields(head.Get("webhook-signature")) {
		if text, is := strings.CutPrefix(one, "v1a,"); is {
			signature, err := base64.StdEncoding.DecodeString(text)
			if err == nil && ed25519.Verify(r.public, []byte(message), signature) {
				return nil
			}
		}
	}
	return errors.New("there is no signature of ed25519 that is good")
}

// all is what it has said yes to.
func (r *receiver) all() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// hasAll tells whether it was told of each event.
func hasAll(got []delivery, want []string) bool {
	has := make(map[string]bool)
	for _, e := range got {
		has[e.ID] = true
	}
	return !slices.ContainsFunc(want, func(id string) bool { return !has[id] })
}

// inOrder tells of which file an event came after a later one.
func inOrder(t *testing.T, who string, got []delivery) {
	t.Helper()
	last := make(map[string]uint64)
	for _, e := range got {
		for _, name := range []string{e.Data.Name, e.Data.Target} {
			if name != "" && e.Data.Seq < last[name] {
				t.Errorf("%s: of %s, %d came after %d", who, name, e.Data.Seq, last[name])
			}
			last[name] = e.Data.Seq
		}
	}
}

// deliverable are the lines of a log that receivers are delivery of by default.
func deliverable(t *testing.T, log string) (all []delivery) {
	t.Helper()
	files, err := filepath.Glob(log + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for line := range strings.Lines(readText(t, file)) {
			var e delivery
			var result struct{ Result string }
			if json.Unmarshal([]byte(line), &e.Data) != nil || json.Unmarshal([]byte(line), &result) != nil {
				continue
			}
			e.ID = e.Data.ID
			if result.Result == "ok" && slices.Contains([]string{"put", "rename", "remove", "restore", "expire", "recovered"}, e.Data.Op) {
				all = append(all, e)
			}
		}
	}
	return all
}

func idsOf(all []delivery) (ids []string) {
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids
}

// delivering begins the configuration of a server whose events are delivered.
const delivering = `
	audit_log = "log/audit"
	audit_sha256 = "always"
	authorized_keys_file = "keys/%u"
	[libraries.in]
	path = "library"
	[file_accounts]
	permissions = ["admin"]
`

// prepareDelivering makes what it names.
func prepareDelivering(t *testing.T, dir string) {
	t.Helper()
	s, err := newServer(dir)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Join(dir, "keys"), 0o700), os.MkdirAll(filepath.Join(dir, "log"), 0o700))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "keys", user), slurp(t, s.identity+".pub"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeliver has events delivered, looks at how that is told of, and has some
// delivered again.
func TestDeliver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	prepareDelivering(t, dir)
	good, gone := newReceiver(t, dir, "good"), newReceiver(t, dir, "gone")
	gone.behave(func(w http.ResponseWriter, _ *http.Request, _ delivery) bool {
		w.WriteHeader(http.StatusGone)
		io.WriteString(w, "\x1b[2J go away")
		return true
	})
	arrived := filepath.Join(dir, "arrived")
	s := serveIn(t, dir, "deliver_listen = \"127.0.0.1:0\"\n"+delivering+good.table("good", "")+gone.table("gone", "concurrency = 1")+
		fmt.Sprintf("[[deliver]]\nname = \"job\"\ncommand = [\"/bin/sh\", \"-c\", 'cat >> %s; echo \"$SHELF_OP $SHELF_NAME\" >> %[1]s.env']\nevents = [\"put\"]\n", arrived))
	c := s.dial(t)
	if err := c.upload("before", []byte("before")); err != nil {
		t.Fatal(err)
	}
	d, err := s.deliver()
	if err != nil {
		t.Fatal(err)
	}
	d.ready(t)
	if out, err := exec.Command("shelfd", "deliver", "--config", filepath.Join(dir, "shelfd.toml"), "--state", s.state).CombinedOutput(); err == nil || !strings.Contains(string(out), "another shelfd deliver runs") {
		t.Errorf("two deliver at once: %v\n%s", err, out)
	}
	err = errors.Join(c.upload("a b", []byte("text")), c.Rename("a b", "c"), c.Remove("c"), c.upload("d", nil))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all was delivered", func() bool { return len(good.all()) >= 4 && strings.Count(string(maybe(arrived+".env")), "\n") == 2 })
	var ops []string
	for _, e := range good.all() {
		ops = append(ops, e.Data.Op+" "+e.Subject)
	}
	slices.Sort(ops)
	if want := []string{"put in/a b", "put in/d", "remove in/c", "rename in/a b"}; !slices.Equal(ops, want) {
		t.Errorf("delivered: %q", ops)
	}
	inOrder(t, "good", good.all())
	if len(good.wrong) > 0 {
		t.Error(good.wrong)
	}
	if env := string(maybe(arrived + ".env")); !strings.Contains(env, "put a b\n") || strings.Count(string(maybe(arrived)), `"type":"shelf.put"`) != 2 {
		t.Errorf("the command was given %q and\n%s", env, maybe(arrived))
	}

	// 410 has turned one off.
	eventually(t, "it is turned off", func() bool { return strings.Contains(d.stderr.String(), "wants no more events") })
	if said := d.stderr.String(); strings.Contains(said, "\x1b") || !strings.Contains(said, `\\x1b[2J go away`) || gone.tries != 1 {
		t.Errorf("it was asked %d times, and the log says\n%s", gone.tries, said)
	}
	metrics := deliverMetrics(t, d)
	for _, want := range []string{`shelf_deliver_events_total{receiver="good"} 4`, `shelf_deliver_waiting_events{receiver="good"} 0`, `shelf_deliver_lag_seconds{receiver="good"} 0`, `shelf_deliver_off{receiver="gone"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("there is no %s in\n%s", want, metrics)
		}
	}
	status := func() (text string, failed bool) {
		out, err := exec.Command("shelfd", "deliver", "status", "--config", filepath.Join(dir, "shelfd.toml"), "--state", s.state, "--json").CombinedOutput()
		return string(out), err != nil
	}
	if text, failed := status(); !failed || !strings.Contains(text, `"running":true`) || !strings.Contains(text, `"state":"off","reason":"the receiver answered 410: \\x1b[2J go away"`) ||
		!strings.Contains(text, "whpk_"+base64.StdEncoding.EncodeToString(good.public)) {
		t.Errorf("status is\n%s", text)
	}
	if text, _ := status(); strings.Contains(text, "/hook") {
		t.Errorf("status tells all of a URL:\n%s", text)
	}
	people, _ := exec.Command("shelfd", "deliver", "status", "--config", filepath.Join(dir, "shelfd.toml"), "--state", s.state).CombinedOutput()
	t.Logf("%s", people)

	// A reload takes other settings; those with a mistake are left aside.
	file := filepath.Join(dir, "shelfd.toml")
	was := readText(t, file)
	if err := os.WriteFile(file, []byte(was+"x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "the mistake is delivery", func() bool { return strings.Contains(d.stderr.String(), "was not reloaded") })
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := os.WriteFile(file, []byte(strings.Replace(was, "deliver_listen = \"127.0.0.1:0\"", fmt.Sprintf("deliver_listen = %q", taken.Addr()), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "the address is taken", func() bool { return strings.Count(d.stderr.String(), "was not reloaded") == 2 })
	if err := os.WriteFile(file, []byte(strings.Replace(was, `events = ["put"]`, `events = ["remove"]`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "it is reloaded", func() bool { return strings.Count(d.stderr.String(), "receiver=job") == 2 })
	if err := c.Remove("d"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command is told of a removal", func() bool { return strings.Contains(string(maybe(arrived+".env")), "remove d\n") })
	d.stop(t)

	// Again, from a line on, to one receiver.
	from := good.all()[0].Data.Seq
	for _, e := range good.all() {
		from = min(from, e.Data.Seq)
	}
	gone.behave(nil)
	before := len(good.all())
	d, err = s.deliver("--once", "--replay", strconv.FormatUint(from, 10), "--only", "good,gone", "--enable", "gone")
	if err != nil {
		t.Fatal(err)
	}
	<-d.exited
	if d.exit != nil || len(good.all()) != before+5 || len(gone.all()) != 5 {
		t.Errorf("%v: %d and %d events\n%s", d.exit, len(good.all())-before, len(gone.all()), d.stderr)
	}
	if text, failed := status(); failed || !strings.Contains(text, `"running":false`) || strings.Contains(text, `"off"`) {
		t.Errorf("status is\n%s", text)
	}
}

// maybe is the content of a file, if there is one.
func maybe(file string) []byte {
	text, _ := os.ReadFile(file)
	return text
}

// deliverMetrics are the metrics of a process.
func deliverMetrics(t *testing.T, d *deliverer) string {
	t.Helper()
	addr := listening.FindString(d.stderr.String())
	res, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDeliverWhateverHappens uploads and removes while a receiver fails in all the ways
// there are, another one is not there at all, the log is rotated, and the server and
// shelfd deliver are killed at random moments: 10 times in 400 uploads, or with
// -torture 50 times in 5,000. Each event must arrive at least once, those of a file in
// their order, signed; and each file that is there must have had its event.
func TestDeliverWhateverHappens(t *testing.T) {
	oneServer(t, "the events of one audit log")
	t.Parallel()
	w := &storm{T: t, uploads: 400, kills: 10, outage: 3 * time.Second}
	if *torture {
		// An hour, as 5 s are to the 10 ms after which is tried again here.
		w.uploads, w.kills, w.outage = 5000, 50, 7200*time.Millisecond
	}
	w.dir = t.TempDir()
	prepareDelivering(t, w.dir)
	chaos, steady := newReceiver(t, w.dir, "chaos"), newReceiver(t, w.dir, "steady")
	chaos.behave(w.misbehave)
	steady.behave(func(http.ResponseWriter, *http.Request, delivery) bool { return false })
	arrived := filepath.Join(w.dir, "arrived")
	const fast = "timeout = \"500ms\"\nretry_min = \"10ms\"\nretry_max = \"2s\"\n"
	w.toml = "audit_max_size = \"100KiB\"\n" + delivering + chaos.table("chaos", fast) + steady.table("steady", fast) +
		strings.ReplaceAll(chaos.table("dead", fast), chaos.addr, "127.0.0.1:9") +
		fmt.Sprintf("[[deliver]]\nname = \"job\"\ncommand = [\"/bin/sh\", \"-c\", 'exec cat >> %s']\nretry_min = \"10ms\"\n", arrived)
	w.toml = strings.ReplaceAll(w.toml, `"dead.`, `"chaos.`)
	w.start()
	w.startDeliver()
	w.d.ready(t)

	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() { w.client(i) })
	}
	outage := make(chan struct{})
	go func() {
		defer close(outage)
		eventually(t, "a third is uploaded", func() bool { return int(w.done.Load()) > w.uploads/3 })
		chaos.down()
		time.Sleep(w.outage) // the outage itself, and nothing waits for it
		chaos.up(t)
	}()
	for i := range w.kills {
		eventually(t, "more is uploaded", func() bool { return int(w.done.Load()) >= i*w.uploads/(w.kills+1) })
		time.Sleep(mathrand.N(30 * time.Millisecond)) // any moment will do
		switch mathrand.N(3) {
		case 0:
			w.killServer()
		case 1:
			w.killDeliver()
		default:
			w.killServer()
			w.killDeliver()
		}
		if t.Failed() {
			break
		}
	}
	clients.Wait()
	<-outage
	w.calm.Store(true)
	if err := w.server().stop(); err != nil {
		t.Error(err)
	}
	want := deliverable(t, filepath.Join(w.dir, "log", "audit"))
	ids := idsOf(want)
	job := func() []delivery { return commanded(t, arrived) }
	eventually(t, "all events have arrived", func() bool {
		return hasAll(steady.all(), ids) && hasAll(chaos.all(), ids) && hasAll(job(), ids)
	})
	w.d.stop(t)
	for name, got := range map[string][]delivery{"chaos": chaos.all(), "steady": steady.all(), "job": job()} {
		inOrder(t, name, got)
		if !hasAll(want, idsOf(got)) {
			t.Errorf("%s was told of what did not happen", name)
		}
		t.Logf("%s: %d events arrived %d times", name, len(ids), len(got))
	}
	if wrong := append(chaos.wrong, steady.wrong...); len(wrong) > 0 {
		t.Error(wrong)
	}
	w.check(want)
	logs, _ := filepath.Glob(filepath.Join(w.dir, "log", "audit*"))
	t.Logf("%d uploads acknowledged, %d kills of the server and %d of shelfd deliver, %d requests to the one that fails, %d files of the log",
		w.done.Load(), w.killed[0], w.killed[1], chaos.tries, len(logs))
}

// commanded is what the command has been given; the last line may be cut by a kill.
func commanded(t *testing.T, file string) (all []delivery) {
	for line := range strings.Lines(string(maybe(file))) {
		var e delivery
		if json.Unmarshal([]byte(line), &e) == nil && e.ID != "" {
			all = append(all, e)
		}
	}
	return all
}

// storm is a server, a deliverer, and all that happens to them.
type storm struct {
	*testing.T
	dir, toml      string
	uploads, kills int
	outage         time.Duration
	done           atomic.Int64 // uploads that were acknowledged
	calm           atomic.Bool  // the receiver behaves
	d              *deliverer
	killed         [2]int

	mu    sync.Mutex
	s     *server
	acked map[string][]string // by name: digests of what was acknowledged
}

func (w *storm) start() {
	s, err := startConfigured(w.dir, w.toml)
	if err != nil {
		w.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.s = s
}

func (w *storm) startDeliver() {
	var err error
	if w.d, err = w.server().deliver(); err != nil {
		w.Fatal(err)
	}
}

func (w *storm) server() *server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.s
}

func (w *storm) killServer() {
	s := w.server()
	s.cmd.Process.Kill()
	<-s.exited
	w.killed[0]++
	w.start()
}

func (w *storm) killDeliver() {
	w.d.kill()
	w.killed[1]++
	w.startDeliver()
}

// misbehave fails in one of the ways that there are, most of the time.
func (w *storm) misbehave(out http.ResponseWriter, r *http.Request, _ delivery) bool {
	if w.calm.Load() {
		return false
	}
	switch mathrand.N(12) {
	case 0:
		out.WriteHeader(http.StatusInternalServerError)
	case 1:
		out.Header().Set("Retry-After", "0")
		if mathrand.N(50) == 0 {
			out.Header().Set("Retry-After", "1")
		}
		out.WriteHeader(http.StatusTooManyRequests)
	case 2:
		out.WriteHeader(http.StatusServiceUnavailable)
	case 3:
		http.Redirect(out, r, "/elsewhere", http.StatusTemporaryRedirect)
	case 4:
		panic(http.ErrAbortHandler) // ends the connection
	case 5:
		if mathrand.N(4) == 0 {
			<-r.Context().Done() // hangs
		}
		return false
	default:
		return false
	}
	return true
}

// client uploads, and removes now and then, until there were enough uploads.
func (w *storm) client(id int) {
	for n := 0; int(w.done.Load()) < w.uploads && !w.Failed(); {
		c, err := w.server().connect()
		if err != nil {
			time.Sleep(time.Millisecond) // it is being started
			continue
		}
		for err == nil && int(w.done.Load()) < w.uploads {
			n++
			name := fmt.Sprintf("%d-%d", id, n%5)
			content := fmt.Appendf(nil, "%d %d", id, n)
			if err = c.upload(name, content); err == nil {
				w.done.Add(1)
				w.note(name, content)
			}
			if err == nil && n%7 == 0 {
				err = c.Remove(name)
			}
		}
		c.close()
	}
}

func (w *storm) note(name string, content []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.acked == nil {
		w.acked = make(map[string][]string)
	}
	w.acked[name] = append(w.acked[name], fmt.Sprintf("%x", sha256.Sum256(content)))
}

// check wants an event for each upload that was acknowledged, and for each file that
// is there.
func (w *storm) check(events []delivery) {
	w.Helper()
	has := make(map[string]bool)
	for _, e := range events {
		has[e.Data.Name+" "+e.Data.SHA256] = true
	}
	for name, all := range w.acked {
		for _, digest := range all {
			if !has[name+" "+digest] {
				w.Errorf("%s was acknowledged and has no event", name)
			}
		}
	}
	files, err := os.ReadDir(filepath.Join(w.dir, "library"))
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range files {
		if f.Type().IsRegular() && !has[f.Name()+" "+fmt.Sprintf("%x", sha256.Sum256(slurp(w, filepath.Join(w.dir, "library", f.Name()))))] {
			w.Errorf("%s is there and has no event", f.Name())
		}
	}
}
