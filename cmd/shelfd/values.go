package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"shelf/vfs/local"
)

// Values have types that are structs: go-toml asks the others not how their
// text is read.

// duration is a time written "30s" or "2m", or a number of seconds.
type duration struct{ time.Duration }

func (d *duration) UnmarshalText(text []byte) error {
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

func (d duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// count is a number of things of which there must be at least one.
type count struct{ n int }

func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of 1 or more", text)
	}
	c.n = int(n)
	return nil
}

func (c count) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(c.n), 10), nil }

// startups is how many connections may wait to log in. Of "start:rate:full", as
// sshd_config has it, the last counts.
type startups struct{ n int }

func (s *startups) UnmarshalText(text []byte) error {
	fields := strings.Split(string(text), ":")
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 32)
		if err != nil || n < 1 || len(fields) != 1 && len(fields) != 3 {
			return fmt.Errorf("%q is not a number of 1 or more, nor start:rate:full, as 100:30:500", text)
		}
		s.n = int(n)
	}
	return nil
}

func (s startups) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(s.n), 10), nil }

// durability is what the end of an upload waits for.
type durability struct{ local.Durability }

func (d *durability) UnmarshalText(text []byte) error {
	d.Durability = local.Durability(text)
	if d.Durability != local.Fsync && d.Durability != local.NoFsync {
		return fmt.Errorf("%q is not %s or %s", text, local.Fsync, local.NoFsync)
	}
	return nil
}

func (d durability) MarshalText() ([]byte, error) { return []byte(d.Durability), nil }

// size is a number of bytes, written "10GiB", "500 MB" or as a number alone.
type size struct{ bytes int64 }

// units are those that sizes may be written in, the longest names first.
var units = [...]struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"", 1},
}

func (s *size) UnmarshalText(text []byte) error {
	for _, unit := range units {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimRight(number, " "), 64)
		if err != nil || !(n >= 0) || n*unit.bytes > math.MaxInt64/2 {
			break
		}
		s.bytes = int64(n * unit.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 500MB, 10GiB or 4096", text)
}

func (s size) MarshalText() ([]byte, error) {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s.bytes >= unit.bytes && s.bytes%unit.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", s.bytes/unit.bytes, unit.name), nil
		}
	}
	return strconv.AppendInt(nil, s.bytes, 10), nil
}
