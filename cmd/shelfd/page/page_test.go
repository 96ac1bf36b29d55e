package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/sshd"
)

// fake is a server with some connections.
type fake struct{ admin.Server }

func (fake) Status() admin.Status                { return admin.Status{State: admin.Serving} }
func (fake) Ready(context.Context) []admin.Check { return nil }
func (fake) Connections() (all []admin.Connection) {
	for i := range 300 {
		all = append(all, admin.Connection{ID: fmt.Sprint(i), Account: "a\u202eb", Transfers: []admin.Transfer{
			{Direction: admin.Upload, Name: "</script>\x1b[2J", Since: time.Unix(int64(1000-i), 0)},
		}})
	}
	return all
}

// The page has nothing that its policy does not allow, and its policy nothing that
// the page does not need.
func TestPolicy(t *testing.T) {
	w := httptest.NewRecorder()
	New(admin.Cache(fake{})).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Count(policy, "sha256-") != 2 {
		t.Errorf("the policy is too lax: %s", policy)
	}
	body := w.Body.String()
	for what, forbidden := range map[string]string{
		"an attribute with script": `\son[a-z]+=`, "an attribute with style": `\sstyle=`, "something from elsewhere": `(src|href)="[^d"]`,
		"text that is read as HTML": `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function`,
	} {
		if found := regexp.MustCompile(forbidden).FindString(body); found != "" {
			t.Errorf("the page has %s: %s", what, found)
		}
	}
	w = httptest.NewRecorder()
	New(admin.Cache(fake{})).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/other", nil))
	if w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}

// What the page is told is bounded, and shows what cannot be seen.
func TestView(t *testing.T) {
	p := New(admin.Cache(fake{}))
	for i := range 1000 {
		p.Event(sshd.Event{Op: "put", Name: fmt.Sprintf("%d\x1b", i), Err: errors.New("no\u202e")})
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/page.json", nil))
	var got view
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Transfers) != shownTransfers || got.Connections != 300 || got.Transfers[0].Connection != "299" {
		t.Errorf("%d transfers, of %d connections; the first is of %s", len(got.Transfers), got.Connections, got.Transfers[0].Connection)
	}
	if x := got.Transfers[0]; x.Name != `</script>\x1b[2J` || x.Account != `a\u202eb` {
		t.Errorf("the transfer is %q of %q", x.Name, x.Account)
	}
	if len(got.Events) != lastEvents || got.Events[0].Name != `999\x1b` || got.Events[0].Reason != `no\u202e` {
		t.Errorf("%d events, the newest %+v", len(got.Events), got.Events[0])
	}
}

// A step has what was added in it, and an hour is kept.
func TestHistory(t *testing.T) {
	var h history
	h.sample(admin.Traffic{Received: 100}, nil)
	h.event(sshd.Event{Op: sshd.OpLogin})
	h.event(sshd.Event{Op: sshd.OpRefusal})
	h.sample(admin.Traffic{Received: 107, Sent: 5}, []admin.Refused{{Count: 2}})
	if s := h.series(); len(s.Received) != 1 || s.Received[0] != 7 || s.Sent[0] != 5 || s.Logins[0] != 1 || s.Refusals[0] != 3 {
		t.Errorf("the step is %+v", s)
	}
	for range 1000 {
		h.sample(admin.Traffic{}, nil)
	}
	if s := h.series(); len(s.Received) != samples {
		t.Errorf("%d steps are kept", len(s.Received))
	}
}
