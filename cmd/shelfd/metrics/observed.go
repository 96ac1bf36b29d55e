package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"shelf/cmd/shelfd/admin"
)

// The directions, as the server sees them.
const (
	received = "received"
	sent     = "sent"
)

// observed asks how the server is when it is scraped.
type observed struct {
	version string
	status  func() admin.Status
	ready   func() admin.Readiness
}

// Describe implements [prometheus.Collector]. It describes nothing: which metrics
// there are depends on the server.
func (o *observed) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (o *observed) Collect(to chan<- prometheus.Metric) {
	s := o.status()
	w := writer{to}
	w.gauge("shelf_build_info", "The version of the server; its value is 1.", 1, label{"version", o.version}, label{"goversion", runtime.Version()})
	w.gauge("shelf_start_time_seconds", "When the server started, in seconds since 1970.", seconds(s.Started))
	w.gauge("shelf_draining", "Whether the server takes no new connections and ends after its transfers.", flag(s.State == admin.Draining))
	w.limits(s.Limits)
	w.gauge("shelf_source_connections_most", "Connections that are logged in from one source, of the source that has most.", float64(s.SourceMost))
	w.gauge("shelf_penalized_sources", "Sources that are turned away for failed logins.", float64(s.Bans))
	w.gauge("shelf_transfers", "Files that are read or written now, by direction.", float64(s.Transfers.Uploads), label{"direction", received})
	w.gauge("shelf_transfers", "Files that are read or written now, by direction.", float64(s.Transfers.Downloads), label{"direction", sent})
	w.counter("shelf_bytes_total", "Bytes of content that clients have moved, by direction.", float64(s.Traffic.Received), label{"direction", received})
	w.counter("shelf_bytes_total", "Bytes of content that clients have moved, by direction.", float64(s.Traffic.Sent), label{"direction", sent})
	for _, r := range s.Refused {
		w.counter("shelf_refused_connections_total", "Connections that were turned away, or ended before a try to log in, by reason.", float64(r.Count), label{"reason", r.Reason})
	}
	w.counter("shelf_panics_total", "Faults of the program that ended a request or a connection.", float64(s.Panics))
	for _, l := range s.Libraries {
		w.library(l)
	}
	if s.Audit != nil {
		w.counter("shelf_audit_lines_total", "Lines of the audit log that were written.", float64(s.Audit.Lines))
		w.counter("shelf_audit_failures_total", "Lines of the audit log that could not be written.", float64(s.Audit.Failures))
		w.gauge("shelf_audit_failing", "Whether lines of the audit log are missing and none could be written since.", flag(s.Audit.Failing != ""))
	}
	if s.Reload != nil {
		w.gauge("shelf_last_reload_timestamp_seconds", "When the configuration was last read again.", seconds(s.Reload.Time))
		w.gauge("shelf_last_reload_successful", "Whether that worked.", flag(s.Reload.Error == ""))
	}
	for _, c := range s.HostCerts {
		w.gauge("shelf_host_certificate_expiry_timestamp_seconds", "When the certificate of a host key expires.", seconds(c.Expires), label{"type", c.Type})
	}
	for _, c := range o.ready().Checks {
		w.gauge("shelf_ready", "Whether the server can do its work, by what it needs for that.", flag(c.Reason == ""), label{"check", c.Name})
	}
	w.process()
}

// limits are what clients can use up.
func (w writer) limits(all []admin.Limit) {
	for _, l := range all {
		name := "shelf_" + l.Name
		if l.Unit != "" {
			name += "_" + l.Unit
		}
		w.gauge(name, "Now: "+l.Help+".", float64(l.Use))
		if l.Limit > 0 {
			w.gauge("shelf_"+l.Name+"_limit"+suffix(l.Unit), "The most there may be: "+l.Help+".", float64(l.Limit))
		}
	}
}

func suffix(unit string) string {
	if unit == "" {
		return ""
	}
	return "_" + unit
}

func (w writer) library(l admin.Library) {
	of := label{"library", l.Name}
	w.gauge("shelf_library_up", "Whether a library can be used.", flag(l.Problem == ""), of)
	if l.Gate != nil {
		w.gauge("shelf_gate_up", "Whether the scanners of a library answer, and gave a verdict on one of the last three files.", flag(l.Gate.Problem == ""), of)
		if h := l.Gate.Held; h != nil {
			w.gauge("shelf_gate_held_files", "Files that wait for their verdict, and that nobody can see.", float64(h.Files), of)
			w.gauge("shelf_gate_held_bytes", "Bytes of the files that wait for their verdict.", float64(h.Bytes), of)
			w.gauge("shelf_gate_held_failing", "Files that wait for their verdict and were tried without success.", float64(l.Gate.Failing), of)
		}
	}
	if l.Free >= 0 {
		w.gauge("shelf_library_free_bytes", "Bytes that uploads can still take.", float64(l.Free), of)
		w.gauge("shelf_library_size_bytes", "Bytes of the quota or, without one, of the file system.", float64(l.Size), of)
		w.gauge("shelf_library_free_files", "Files that can still be made.", float64(l.FreeFiles), of)
	}
	if l.Quota > 0 {
		w.gauge("shelf_library_quota_bytes", "The most bytes that a library may hold.", float64(l.Quota), of)
	}
	if l.MaxFiles > 0 {
		w.gauge("shelf_library_files_limit", "The most files that a library may hold.", float64(l.MaxFiles), of)
	}
	if l.Used != nil {
		w.gauge("shelf_library_used_bytes", "Bytes that a library with a limit holds.", float64(l.Used.Bytes), of)
		w.gauge("shelf_library_files", "Files that a library with a limit holds.", float64(l.Used.Files), of)
	}
	w.gauge("shelf_library_partials", "Uploads that were cut and can be resumed.", float64(l.Partials), of)
	if l.LastUpload != nil {
		w.gauge("shelf_library_last_upload_timestamp_seconds", "When a file was last published, since the start of the server.", seconds(*l.LastUpload), of)
	}
}

// label is a label and its value.
type label struct{ name, value string }

// writer sends metrics.
type writer struct{ to chan<- prometheus.Metric }

func (w writer) gauge(name, help string, v float64, labels ...label) {
	w.send(prometheus.GaugeValue, name, help, v, labels)
}

func (w writer) counter(name, help string, v float64, labels ...label) {
	w.send(prometheus.CounterValue, name, help, v, labels)
}

func (w writer) send(kind prometheus.ValueType, name, help string, v float64, labels []label) {
	fixed := make(prometheus.Labels, len(labels))
	for _, l := range labels {
		fixed[l.name] = l.value
	}
	w.to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, fixed), kind, v)
}
