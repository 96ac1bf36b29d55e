package admin_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"shelf/cmd/shelfd/admin"
)

// A connection that is closed for a bad request lasts a little longer.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

func nothing() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serveSocket answers for a server at a path, until the test ends.
func serveSocket(t *testing.T, s admin.Server, path string) (*admin.Listener, *http.Client) {
	t.Helper()
	l, err := admin.Listen(path, nothing())
	if err != nil {
		t.Fatal(err)
	}
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics") })
	served := admin.Serve(l, admin.API(admin.Cache(s), metrics), nothing())
	t.Cleanup(served.Close)
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return admin.Dial(ctx, path) }}}
	t.Cleanup(c.CloseIdleConnections)
	return served, c
}

// Each request is answered, with JSON, and what an operator wants is done in the
// name of the user at the other end.
func TestAPI(t *testing.T) {
	f := &fake{broken: "the disk is gone"}
	_, c := serveSocket(t, f, filepath.Join(t.TempDir(), "admin.sock"))
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/status", "", 200, `"state":"serving"`},
		{"GET", "/v1/connections", "", 200, `[]`},
		{"GET", "/v1/bans", "", 200, `[]`},
		{"GET", "/v1/usage", "", 200, `[]`},
		{"GET", "/v1/ready", "", 503, `{"name":"library in","reason":"the disk is gone"}`},
		{"GET", "/metrics", "", 200, `metrics`},
		{"POST", "/v1/kick", `{"who":"ada","reason":"why"}`, 200, `"id":"X"`},
		{"GET", "/v1/quarantine", "", 200, `[]`},
		{"POST", "/v1/quarantine/release", `{"id":"ID","replace":true}`, 200, `"id":"ID"`},
		{"POST", "/v1/quarantine/release", `{"id":"ID"}`, 422, `{"error":"there is nothing of that id"}`},
		{"POST", "/v1/quarantine/drop", `{"id":"ID"}`, 200, `"id":"ID"`},
		{"POST", "/v1/kick", `{}`, 422, `{"error":"there is nobody"}`},
		{"POST", "/v1/kick", `{`, 400, `"error"`},
		{"POST", "/v1/kick", `{"who":"` + strings.Repeat("x", 20000) + `"}`, 400, `"error"`},
		{"POST", "/v1/unban", `{"source":"192.0.2.1"}`, 200, `[]`},
		{"POST", "/v1/reload", ``, 422, `{"error":"line 7 is wrong"}`},
		{"POST", "/v1/drain", `{}`, 200, `"state"`},
		{"GET", "/v1/kick", "", 405, ""},
		{"GET", "/v1/nothing", "", 404, ""},
	} {
		r, err := http.NewRequest(test.method, "http://shelfd"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		got, text := do(t, c, r)
		if got.StatusCode != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s %s %.40s: %s\n%s", test.method, test.path, test.body, got.Status, text)
		}
	}
	if f.kicked != "ada: why" || !strings.Contains(string(f.by), fmt.Sprintf("uid %d", os.Geteuid())) {
		t.Errorf("kicked %q, by %q", f.kicked, f.by)
	}
	r, _ := http.NewRequest("POST", "http://shelfd/v1/kick", strings.NewReader(`{"who":"bob"}`))
	if got, _ := do(t, c, r); got.StatusCode != http.StatusUnsupportedMediaType || strings.Contains(f.kicked, "bob") {
		t.Errorf("without its content type: %s", got.Status)
	}
}

func do(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, string(text)
}

// However many ask, the server is asked once a second.
func TestAnswersAreKept(t *testing.T) {
	f := &fake{}
	c := admin.Cache(f)
	for range 1000 {
		c.Status()
	}
	if n := f.asked.Load(); n > 100 {
		t.Errorf("1,000 questions became %d", n)
	}
	// What an operator has changed is seen at once.
	before := f.asked.Load()
	c.Drain("somebody")
	c.Status()
	if f.asked.Load() == before {
		t.Error("after a change the answer is that from before")
	}
}

// The file of the socket is its user's alone. A new server takes it over from an
// old one, which then leaves it alone, and nothing else is taken away.
func TestSocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	old, _ := serveSocket(t, &fake{}, path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Fatalf("the socket is %v (%v)", info.Mode(), err)
	}
	f := &fake{}
	_, c := serveSocket(t, f, path)
	old.Close()
	r, _ := http.NewRequest("GET", "http://shelfd/v1/status", nil)
	if got, _ := do(t, c, r); got.StatusCode != 200 || f.asked.Load() != 1 {
		t.Errorf("the new server is asked %d times: %s", f.asked.Load(), got.Status)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(file, nothing()); err == nil {
		t.Error("a file that is no socket was taken away")
	}
}

// A crash leaves the file behind; the next server has it.
func TestSocketAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	served, _ := serveSocket(t, &fake{}, path)
	served.Close()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// The path may be longer than the system's addresses of sockets.
func TestLongPath(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	_, c := serveSocket(t, &fake{}, filepath.Join(folder, "admin.sock"))
	r, _ := http.NewRequest("GET", "http://shelfd/v1/status", nil)
	if got, _ := do(t, c, r); got.StatusCode != 200 {
		t.Errorf("got %s", got.Status)
	}
}
