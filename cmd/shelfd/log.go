package main

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"

	"shelf/cmd/shelfd/config"
	"shelf/sshd"
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

// printable escapes the control characters of an attribute as a Go literal does.
// If there are any it escapes backslashes too, so that both can be told apart.
func printable(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(err.Error())
	}
	if a.Value.Kind() != slog.KindString {
		return a
	}
	s := a.Value.String()
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		quoted := strconv.Quote(s)
		a.Value = slog.StringValue(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`))
	}
	return a
}

// logEvent writes events to the log. One with an error is a warning. The error is
// that the line was not written.
func logEvent(log *slog.Logger) func(sshd.Event) error {
	return func(e sshd.Event) error {
		level := slog.LevelInfo
		if e.Err != nil {
			level = slog.LevelWarn
		}
		if !log.Enabled(context.Background(), level) {
			return nil
		}
		line := slog.NewRecord(time.Now(), level, e.Op, 0)
		line.AddAttrs(eventAttrs(e)...)
		return log.Handler().Handle(context.Background(), line)
	}
}

func eventAttrs(e sshd.Event) []slog.Attr {
	attrs := []slog.Attr{slog.String("conn", e.Conn), slog.String("source", e.Source)}
	for _, a := range []slog.Attr{
		slog.String("account", e.Account),
		slog.String("method", e.Method),
		slog.String("key", e.KeyFingerprint),
		slog.String("client", e.ClientVersion),
		slog.String("name", e.Name),
		slog.String("target", e.Target),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Bytes > 0 {
		attrs = append(attrs, slog.Int64("bytes", e.Bytes))
	}
	attrs = append(attrs, slog.Duration("duration", e.Duration))
	if e.Err != nil {
		attrs = append(attrs, slog.String("reason", e.Err.Error()))
	}
	return attrs
}
