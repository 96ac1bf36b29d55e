package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The types of values are structs, since go-toml calls UnmarshalText of no
// other kind.

// Duration is a time, written "30s" or "2m", or as a number of seconds.
type Duration struct{ time.Duration }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if seconds, e := strconv.ParseUint(string(text), 10, 31); e == nil {
		t, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || t < 0 {
		return fmt.Errorf("%q is not a time such as 30s, 5m or 2h", text)
	}
	d.Duration = t
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Count is a number of 1 or more.
type Count struct{ N int }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of 1 or more", text)
	}
	c.N = int(n)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (c Count) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(c.N), 10), nil }

// Startups is how many connections may wait to log in. Of "start:rate:full", as
// sshd_config has it, the last counts.
type Startups struct{ N int }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Startups) UnmarshalText(text []byte) error {
	fields := strings.Split(string(text), ":")
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 32)
		if err != nil || n < 1 || len(fields) != 1 && len(fields) != 3 {
			return fmt.Errorf("%q is not a number of 1 or more, nor start:rate:full, as 100:30:500", text)
		}
		s.N = int(n)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (s Startups) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(s.N), 10), nil }

// Size is a number of bytes, written "10GiB", "500 MB" or as a number alone.
type Size struct{ Bytes int64 }

// units are those that sizes may be written in. Longer units come first: "MiB"
// ends in "B".
var units = [...]struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"", 1},
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range units {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimRight(number, " "), 64)
		if err != nil || !(n >= 0) || n*unit.bytes > math.MaxInt64/2 {
			break
		}
		s.Bytes = int64(n * unit.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 500MB, 10GiB or 4096", text)
}

// MarshalText implements [encoding.TextMarshaler].
func (s Size) MarshalText() ([]byte, error) {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s.Bytes >= unit.bytes && s.Bytes%unit.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", s.Bytes/unit.bytes, unit.name), nil
		}
	}
	return strconv.AppendInt(nil, s.Bytes, 10), nil
}
