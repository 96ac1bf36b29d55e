// Package metrics counts what a server does, in the text format of Prometheus.
//
//	metrics.go   Metrics: what is counted as it happens
//	classes.go   the values that labels may have: all are few
//	observed.go  what is looked up when it is asked for
//	process.go   what the process uses
//	accounts.go  accounts that have metrics of their own, as many as are allowed
//
// A name here is a promise: dashboards and alerts of others use it.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shelf/cmd/shelfd/admin"
	"shelf/sshd"
	"shelf/vfs"
)

// Options is what [Metrics] are made from.
type Options struct {
	Version  string
	Accounts int                 // how many accounts have metrics of their own
	Status   func() admin.Status // how the server is, when it is asked for
	Ready    func() admin.Readiness
}

// Metrics count what a server does. They are safe for concurrent use.
type Metrics struct {
	registry   *prometheus.Registry
	logins     *prometheus.CounterVec
	operations *prometheus.CounterVec
	reloads    *prometheus.CounterVec
	publish    prometheus.Histogram
	fsync      prometheus.Histogram
	verdicts   *prometheus.CounterVec
	judging    *prometheus.HistogramVec
	accounts   *accounts
}

// New makes Metrics of a server that does nothing yet.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: diskBuckets()})
		m.registry.MustRegister(h)
		return h
	}
	m.logins = counter("shelf_logins_total", "Tries to log in, by method and result; with the method none, connections that ended without a try.", "method", "result")
	m.operations = counter("shelf_operations_total", "What clients did or tried, by operation, library, result, and reason of a refusal or failure.", "op", "library", "result", "reason")
	m.reloads = counter("shelf_reloads_total", "How often the configuration was read again, by result.", "result")
	m.publish = histogram("shelf_publish_seconds", "How long it took from CLOSE until an upload was published and on disk.")
	m.fsync = histogram("shelf_fsync_seconds", "How long it took to have the content of an upload on disk.")
	m.verdicts = counter("shelf_gate_verdicts_total", "Files that a gate has judged before they were published, by library and verdict.", "library", "verdict")
	m.judging = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "shelf_gate_seconds", Help: "How long it took until a gate had judged a file, by library, with the time that it waited for its turn.", Buckets: scanBuckets(),
	}, []string{"library"})
	m.registry.MustRegister(m.judging)
	m.accounts = newAccounts(o.Accounts, m.registry)
	// What has not happened yet is 0, and not missing.
	for _, result := range []string{vfs.ResultOK, vfs.ResultFailed} {
		m.reloads.WithLabelValues(result)
	}
	for _, result := range []string{vfs.ResultOK, vfs.ResultRefused} {
		for _, method := range methods() {
			m.logins.WithLabelValues(method, result)
		}
	}
	m.registry.MustRegister(
		&observed{status: o.Status, ready: o.Ready, version: o.Version},
		collectors.NewGoCollector(),
	)
	return m
}

// diskBuckets are for what waits for a disk: from 250 µs to 32 s.
func diskBuckets() []float64 { return prometheus.ExponentialBuckets(0.00025, 2, 18) }

// scanBuckets are for what waits for a scanner: from 1 ms to 17 minutes.
func scanBuckets() []float64 { return prometheus.ExponentialBuckets(0.001, 4, 11) }

// Event counts what a client did or tried.
func (m *Metrics) Event(e sshd.Event) {
	result := e.Result()
	switch e.Op {
	case sshd.OpLogin, sshd.OpRefusal:
		m.logins.WithLabelValues(methodClass(e.Method), result).Inc()
		return
	case sshd.OpLogout:
		return
	}
	m.operations.WithLabelValues(operationClass(e.Op), e.Library, result, reasonClass(e.Err)).Inc()
	m.accounts.event(e)
}

// Reloaded counts a reload.
func (m *Metrics) Reloaded(err error) {
	m.reloads.WithLabelValues(vfs.ResultOf(err)).Inc()
}

// Published notes how long a publication took.
func (m *Metrics) Published(d time.Duration) { m.publish.Observe(d.Seconds()) }

// Judged counts a verdict of the gate of a library, one of the words of
// [vfs.Event.Gate], and how long it took.
func (m *Metrics) Judged(library, verdict string, took time.Duration) {
	m.verdicts.WithLabelValues(library, verdict).Inc()
	m.judging.WithLabelValues(library).Observe(took.Seconds())
}

// Synced notes how long it took until content was on disk.
func (m *Metrics) Synced(d time.Duration) { m.fsync.Observe(d.Seconds()) }

// Handler answers with all metrics. One scrape is answered at a time, and two more
// wait; whoever asks besides is told to come later.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 3, DisableCompression: true,
		ErrorHandling: promhttp.ContinueOnError, // one that makes no sense hides no other
	})
}
