package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/sftp"
)

// jobs is the value of --jobs: how many files are moved at a time.
type jobs int

// String implements [pflag.Value].
func (n *jobs) String() string { return strconv.Itoa(int(*n)) }

// Type implements [pflag.Value].
func (*jobs) Type() string { return "N" }

// Set implements [pflag.Value]. A number that is too large becomes the largest one.
func (n *jobs) Set(s string) error {
	got, err := strconv.Atoi(s)
	if err != nil || got < 1 {
		return fmt.Errorf("write a number from 1 to %d", sftp.MostChannels)
	}
	*n = jobs(min(got, sftp.MostChannels))
	return nil
}

// span is the value of a flag: a duration, in seconds if it has no unit.
type span time.Duration

// String implements [pflag.Value].
func (d *span) String() string { return time.Duration(*d).String() }

// Type implements [pflag.Value].
func (*span) Type() string { return "TIME" }

// Set implements [pflag.Value].
func (d *span) Set(s string) error {
	if _, err := strconv.Atoi(s); err == nil {
		s += "s"
	}
	got, err := time.ParseDuration(s)
	if err != nil || got < 0 {
		return errors.New("write a time such as 10s or 2m")
	}
	*d = span(got)
	return nil
}

// byteRate is the value of --limit: bytes per second, such as 500K or 2.5M; 0 is no
// limit.
type byteRate int64

// String implements [pflag.Value].
func (b *byteRate) String() string {
	if *b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements [pflag.Value].
func (*byteRate) Type() string { return "RATE" }

// Set implements [pflag.Value]. The letters stand for powers of 1024, as in the rates
// that are printed.
func (b *byteRate) Set(s string) error {
	digits := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	unit := 1.0
	if n := len(digits) - 1; n >= 0 {
		if i := strings.IndexByte("KMGT", digits[n]); i >= 0 {
			digits, unit = digits[:n], float64(int64(1)<<(10*(i+1)))
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(f*unit >= 1 && f*unit <= 1<<50) { // NaN is refused as well
		return fmt.Errorf("%q is not a rate; write bytes per second, such as 500K or 2M", s)
	}
	*b = byteRate(f * unit)
	return nil
}

// portFlag is the value of --port. It is never set to 0, which stands for no flag.
type portFlag int

// Set implements [pflag.Value].
func (p *portFlag) Set(s string) error {
	n, err := connect.ParsePort(s)
	*p = portFlag(n)
	return err
}

// String implements [pflag.Value].
func (p *portFlag) String() string { return strconv.Itoa(int(*p)) }

// Type implements [pflag.Value].
func (p *portFlag) Type() string { return "port" }
