package admin_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shelf/cmd/shelfd/admin"
)

// The web address answers to GET alone, and to nobody who asks for another machine.
func TestWeb(t *testing.T) {
	said := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	}
	f := &fake{}
	h := admin.Web(admin.Cache(f), []string{"", "shelf.example"}, said("metrics"), said("page"))
	ask := func(method, host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for path, want := range map[string]string{"/": "page", "/metrics": "metrics", "/livez": "ok\n", "/readyz": "[+]library in ok\nready\n"} {
		w := ask("GET", "localhost:1", path)
		if w.Code != 200 || !strings.HasSuffix(w.Body.String(), want) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
		if w := ask(method, "localhost", "/"); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	for host, known := range map[string]bool{
		"localhost": true, "LOCALHOST:9": true, "localhost.": true, "127.0.0.1:9": true, "192.0.2.1": true, "[::1]:9": true, "::1": true,
		"shelf.example:9": true, "Shelf.Example": true,
		"evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "": true, "shelf.example.evil:9": false,
	} {
		if w := ask("GET", host, "/metrics"); (w.Code == 200) != known || !known && w.Code != http.StatusMisdirectedRequest {
			t.Errorf("asked for %q: %d", host, w.Code)
		}
	}
}

// A probe is told what fails.
func TestNotReady(t *testing.T) {
	h := admin.Web(admin.Cache(&fake{broken: "full"}), nil, http.NotFoundHandler(), http.NotFoundHandler())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/readyz", nil))
	if w.Code != 503 || w.Body.String() != "[+]state ok\n[-]library in failed: full\nnot ready\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Who holds connections open and asks nothing keeps nobody out.
func TestIdleGiveWay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := admin.Serve(l, admin.Web(admin.Cache(&fake{}), nil, http.NotFoundHandler(), http.NotFoundHandler()), nothing())
	defer served.Close()
	for range 300 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 5 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 200 {
			t.Errorf("got %v (%v)", r, err)
		}
	}
}

// What does not answer is asked once, and not waited for.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p admin.Patient[int]
		answers, asked := make(chan int), 0
		ask := func() (int, error) { asked++; return <-answers, nil }
		for range 3 {
			if _, err := p.Ask(ask); !errors.Is(err, admin.ErrSlow) {
				t.Errorf("got %v", err)
			}
		}
		answers <- 7
		synctest.Wait()
		if n, err := p.Ask(func() (int, error) { return 8, nil }); n != 8 || err != nil || asked != 1 {
			t.Errorf("then %d (%v), asked %d times", n, err, asked)
		}
		p.Fresh = time.Minute
		fail := func() (int, error) { return 0, errors.New("no") }
		for range 2 {
			if _, err := p.Ask(fail); err == nil {
				t.Error("an error was kept for an answer")
			}
		}
		if n, err := p.Ask(func() (int, error) { return 9, nil }); n != 9 || err != nil {
			t.Errorf("got %d (%v)", n, err)
		}
		if n, err := p.Ask(fail); n != 9 || err != nil {
			t.Errorf("a minute is not over: %d (%v)", n, err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := p.Ask(fail); err == nil {
			t.Error("the minute is over")
		}
	})
}
