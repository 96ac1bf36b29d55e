package config

import (
	"fmt"
	"time"
)

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
