package deliver

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// counts is what happened with a receiver since the process has started.
type counts struct{ delivered, failed, dropped, missed atomic.Uint64 }

// observed is how it is with a receiver.
type observed struct {
	waiting   int
	oldest    time.Time // of the event that waits longest; zero is that none does
	off       bool
	broken    bool // the journal can't be written
	behind    bool // there are lines to be read
	delivered time.Time
}

// observe notes it, for who asks meanwhile.
func (w *worker) observe() {
	o := &observed{waiting: len(w.queue.all), off: w.off != "", broken: w.journal.err != nil, delivered: w.delivered, behind: !w.atEnd}
	if e := w.queue.oldest(); e != nil {
		o.oldest = e.Time.Time
	}
	w.seen.Store(o)
}

// collector has the metrics of all receivers.
type collector struct{ workers []*worker }

// Describe implements [prometheus.Collector].
func (c collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements [prometheus.Collector].
func (c collector) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	for _, w := range c.workers {
		o := w.seen.Load()
		send := func(kind prometheus.ValueType, name, help string, value float64) {
			to <- prometheus.MustNewConstMetric(prometheus.NewDesc("shelf_deliver_"+name, help, []string{"receiver"}, nil), kind, value, w.Name)
		}
		is := func(b bool) float64 {
			if b {
				return 1
			}
			return 0
		}
		lag := 0.0
		if !o.oldest.IsZero() {
			lag = max(0, now.Sub(o.oldest).Seconds())
		}
		send(prometheus.GaugeValue, "lag_seconds", "How old the oldest event is that was read and is not delivered; 0 is that none waits.", lag)
		send(prometheus.GaugeValue, "waiting_events", "Events that were read and are not delivered.", float64(o.waiting))
		send(prometheus.GaugeValue, "behind", "1 while there are lines of the audit log that were not read yet.", is(o.behind))
		send(prometheus.GaugeValue, "off", "1 if the receiver wants no more events and was turned off.", is(o.off))
		send(prometheus.GaugeValue, "journal_failing", "1 while the journal cannot be written.", is(o.broken))
		send(prometheus.CounterValue, "events_total", "Events that were delivered.", float64(w.counts.delivered.Load()))
		send(prometheus.CounterValue, "failures_total", "Tries that failed.", float64(w.counts.failed.Load()))
		send(prometheus.CounterValue, "dropped_events_total", "Events that were given up, by give_up_after.", float64(w.counts.dropped.Load()))
		send(prometheus.CounterValue, "missed_lines_total", "Lines of the audit log that were gone before they were read.", float64(w.counts.missed.Load()))
		if !o.delivered.IsZero() {
			send(prometheus.GaugeValue, "last_delivery_timestamp_seconds", "When the last event was delivered.", float64(o.delivered.UnixMilli())/1e3)
		}
	}
}

// handler answers metrics, and whether the process lives.
func handler(c collector) http.Handler {
	all := prometheus.NewRegistry()
	all.MustRegister(c)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(all, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(out http.ResponseWriter, _ *http.Request) { out.Write([]byte("ok\n")) })
	return mux
}
