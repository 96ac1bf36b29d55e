package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"shelf/cmd/shelfd/admin"
	"shelf/sshd"
	"shelf/vfs"
)

// full is a status with all that there can be.
func full() admin.Status {
	used := admin.Held{Bytes: 5, Files: 1}
	now := time.Unix(1e9, 0)
	return admin.Status{
		Started: now, Limits: []admin.Limit{{Name: "connections", Use: 1, Limit: 2, Help: "connections"}, {Name: "client_memory", Unit: "bytes", Use: 1, Limit: 2, Help: "memory"}},
		Refused: []admin.Refused{{Reason: "busy", Count: 3}}, Reload: &admin.Reload{Time: now}, Audit: &admin.Audit{Lines: 1},
		Libraries: []admin.Library{{Name: "in", Free: 1, Size: 2, Quota: 3, MaxFiles: 4, Used: &used, LastUpload: &now}},
		HostCerts: []admin.Certificate{{Type: "ssh-rsa", Expires: now}},
	}
}

func newMetrics(accounts int) *Metrics {
	return New(Options{
		Version: "v1", Accounts: accounts, Status: full,
		Ready: func() admin.Readiness { return admin.Readiness{Checks: []admin.Check{{Name: "state", Reason: "gone"}}} },
	})
}

// scrape is what Prometheus gets.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// The linter of promtool finds nothing.
func TestLint(t *testing.T) {
	m := newMetrics(2)
	m.Event(sshd.Event{Op: sshd.OpLogin, Method: "publickey"})
	m.Event(sshd.Event{Op: "put", Account: "ada", Library: "in", Bytes: 7})
	m.Event(sshd.Event{Op: "get", Account: "ada", Library: "in", Err: &vfs.Error{Kind: fs.ErrPermission}})
	m.Published(time.Second)
	m.Synced(time.Second)
	m.Reloaded(nil)
	text := scrape(t, m)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{
		`shelf_logins_total{method="publickey",result="ok"} 1`,
		`shelf_operations_total{library="in",op="put",reason="",result="ok"} 1`,
		`shelf_operations_total{library="in",op="get",reason="permission",result="refused"} 1`,
		`shelf_account_bytes_total{account="ada",direction="received"} 7`,
		`shelf_publish_seconds_count 1`, `shelf_fsync_seconds_count 1`, `shelf_reloads_total{result="ok"} 1`,
		`shelf_connections 1`, `shelf_connections_limit 2`, `shelf_client_memory_bytes 1`, `shelf_client_memory_limit_bytes 2`,
		`shelf_ready{check="state"} 0`, `shelf_library_up{library="in"} 1`, `go_goroutines `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// Whatever clients send, there are as many series as before.
func TestLabelsAreBounded(t *testing.T) {
	m := newMetrics(3)
	send := func(from, to int) {
		for i := from; i < to; i++ {
			text := fmt.Sprintf("%d\x00\"\n", i)
			m.Event(sshd.Event{Op: sshd.OpRefusal, Method: text, Account: text, Err: errors.New(text)})
			m.Event(sshd.Event{Op: sshd.OpRefusal, Method: strings.Repeat("password,", i) + "password", Err: errors.New(text)})
			m.Event(sshd.Event{Op: text, Account: text, Name: text, Err: errors.New(text)})
			m.Event(sshd.Event{Op: "put", Account: text, Name: text, Bytes: 1})
		}
	}
	send(0, 10)
	before := strings.Count(scrape(t, m), "\n")
	send(10, 1000)
	if after := strings.Count(scrape(t, m), "\n"); after != before {
		t.Errorf("%d lines became %d", before, after)
	}
	if text := scrape(t, m); !strings.Contains(text, `shelf_account_bytes_total{account="other",direction="received"} 997`) {
		t.Error("the other accounts are not counted together")
	}
}

// Accounts are named only by choice.
func TestNoAccounts(t *testing.T) {
	m := newMetrics(0)
	m.Event(sshd.Event{Op: "put", Account: "ada", Bytes: 7})
	if strings.Contains(scrape(t, m), `"ada"`) {
		t.Error("an account is named")
	}
}
