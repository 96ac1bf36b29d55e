package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Age is a time that files stay, written "30d" or "12h". A number alone is refused: 30
// could mean days, and be taken for seconds.
type Age struct{ time.Duration }

const day = 24 * time.Hour

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *Age) UnmarshalText(text []byte) error {
	const most = 100 * 365
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 31); err == nil && n <= most {
			a.Duration = time.Duration(n) * day
			return nil
		}
	}
	t, err := time.ParseDuration(string(text))
	if err != nil || t < 0 {
		return fmt.Errorf("%q is not a time with a unit, such as 30d or 12h", text)
	}
	a.Duration = t
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (a Age) MarshalText() ([]byte, error) {
	switch {
	case a.Duration == 0:
		return []byte("0"), nil
	case a.Duration%day == 0:
		return fmt.Appendf(nil, "%dd", a.Duration/day), nil
	}
	return []byte(a.String()), nil
}

// Hold is whether a library is held: always, or until a date; both left out is never.
type Hold struct {
	Always bool
	Until  time.Time
}

// dates are how a date is written. One without a zone is in that of the server.
var dates = [...]string{time.DateOnly, "2006-01-02T15:04:05", time.DateTime, time.RFC3339, "2006-01-02 15:04:05Z07:00"}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hold) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true", "false":
		*h = Hold{Always: string(text) == "true"}
		return nil
	}
	for _, layout := range dates {
		if until, err := time.ParseInLocation(layout, string(text), time.Local); err == nil {
			*h = Hold{Until: until}
			return nil
		}
	}
	return fmt.Errorf("%q is not true, false, or a date such as 2032-01-01", text)
}

// MarshalText implements [encoding.TextMarshaler].
func (h Hold) MarshalText() ([]byte, error) {
	if !h.Until.IsZero() {
		return h.Until.AppendFormat(nil, time.RFC3339), nil
	}
	return fmt.Appendf(nil, "%v", h.Always), nil
}
