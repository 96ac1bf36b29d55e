// Package logging is the log of the programs: lines that no stranger can forge, and
// events in it.
package logging

import (
	"context"
	"io"
	"log/slog"

	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/sshd"
	"shelf/vfs"
)

// New makes the log. Much of what is logged comes from strangers. They must
// not be able to forge a line, nor to send control characters to the terminal of
// who reads it. slog alone does not prevent that: as text it lets DEL through, as
// JSON all control characters outside ASCII.
func New(w io.Writer, format config.LogFormat, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: printable}
	if format.JSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// printable escapes the control characters of an attribute as a Go literal does.
// If there are any it escapes backslashes too, so that both can be told apart.
func printable(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(err.Error())
	}
	if a.Value.Kind() != slog.KindString {
		return a
	}
	if s := a.Value.String(); vfs.Escape(s) != s {
		a.Value = slog.StringValue(vfs.Escape(s))
	}
	return a
}

// Event writes an event to the log. One with an error is a warning.
func Event(log *slog.Logger, e sshd.Event) {
	level := slog.LevelInfo
	if e.Err != nil {
		level = slog.LevelWarn
	}
	if !log.Enabled(context.Background(), level) {
		return // to make the fields takes longer than to see that nobody wants them
	}
	log.LogAttrs(context.Background(), level, e.Op, eventAttrs(audit.LineOf(e))...)
}

// eventAttrs are the fields of a line that are set, but for what the log has of
// its own. Their names are those of the audit log.
func eventAttrs(l audit.Line) (attrs []slog.Attr) {
	for _, a := range []slog.Attr{
		slog.String("conn", l.Conn), slog.String("source", l.Source), slog.String("account", l.Account),
		slog.String("method", l.Method), slog.String("key", l.Key), slog.String("client", l.Client),
		slog.String("library", l.Library), slog.String("name", l.Name), slog.String("target", l.Target), slog.String("restored", l.Restored),
		slog.Int64("bytes", l.Bytes), slog.String("gate", l.Gate), slog.String("operator", l.Operator), slog.String("note", l.Note),
		slog.Int("omitted", l.Omitted),
	} {
		if !a.Value.Equal(slog.AnyValue("")) && !a.Value.Equal(slog.Int64Value(0)) {
			attrs = append(attrs, a)
		}
	}
	if l.Cert != nil {
		attrs = append(attrs, slog.Group("cert", slog.String("id", l.Cert.ID), slog.Uint64("serial", l.Cert.Serial), slog.String("ca", l.Cert.CA)))
	}
	if l.Size != nil {
		attrs = append(attrs, slog.Int64("size", *l.Size))
	}
	if l.SHA256 != "" {
		attrs = append(attrs, slog.String("sha256", l.SHA256))
	}
	if l.Duration != nil {
		attrs = append(attrs, slog.Float64("duration_ms", l.Duration.Float()))
	}
	attrs = append(attrs, slog.String("result", l.Result))
	if l.Reason != "" {
		attrs = append(attrs, slog.String("reason", l.Reason))
	}
	return attrs
}
