package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"shelf/sshd"
)

// accounts are metrics with the name of an account. There can be any number of
// accounts, and each costs the server and Prometheus, so the first so many that do
// something have metrics of their own, and all others share those of "other".
type accounts struct {
	most  int
	bytes *prometheus.CounterVec

	mu    sync.Mutex
	known map[string]bool // mu
}

// newAccounts registers nothing if no account is to have metrics.
func newAccounts(most int, r *prometheus.Registry) *accounts {
	a := &accounts{most: most, known: make(map[string]bool)}
	if most > 0 {
		a.bytes = prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shelf_account_bytes_total", Help: "Bytes of content that accounts have moved in files that are closed, as many accounts as metrics_accounts says.",
		}, []string{"account", "direction"})
		r.MustRegister(a.bytes)
	}
	return a
}

func (a *accounts) event(e sshd.Event) {
	if a.most == 0 || e.Bytes == 0 {
		return
	}
	direction := ""
	switch e.Op {
	case "put":
		direction = received
	case "get":
		direction = sent
	default:
		return
	}
	a.bytes.WithLabelValues(a.name(e.Account), direction).Add(float64(e.Bytes))
}

func (a *accounts) name(account string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known[account] {
		if len(a.known) >= a.most {
			return other
		}
		a.known[account] = true
	}
	return account
}
