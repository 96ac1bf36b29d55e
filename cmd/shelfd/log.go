package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/sshd"
	"shelf/vfs"
)

// newLog makes the log. Much of what is logged comes from strangers. They must
// not be able to forge a line, nor to send control characters to the terminal of
// who reads it. slog alone does not prevent that: as text it lets DEL through, as
// JSON all control characters outside ASCII.
func newLog(w io.Writer, format config.LogFormat, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: printable}
	if format.JSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// logged is an error that the log has told.
type logged struct{ error }

func (e logged) Unwrap() error { return e.error }

// lastWords has the log tell why the server ends, where each line of it is JSON.
func lastWords(err error, format config.LogFormat, stderr io.Writer) error {
	if err == nil || !format.JSON {
		return err
	}
	log := newLog(stderr, format, slog.LevelError)
	if p := (*problem)(nil); errors.As(err, &p) && p.Error() == err.Error() { // and nothing else
		log.Error(p.what, "where", strings.TrimSuffix(p.where, ": "), "reason", p.err, "remedy", strings.Join(strings.Fields(p.remedy), " "))
	} else {
		log.Error("shelfd ends", "reason", err)
	}
	return logged{err}
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

// logEvent writes an event to the log. One with an error is a warning.
func logEvent(log *slog.Logger, e sshd.Event) {
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
