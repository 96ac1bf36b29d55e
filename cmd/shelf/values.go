package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// atATime is a flag: how many files are moved at a time.
type atATime int

// String implements [pflag.Value].
func (n *atATime) String() string { return strconv.Itoa(int(*n)) }

// Type implements [pflag.Value].
func (*atATime) Type() string { return "N" }

// Set implements [pflag.Value]. What is too much is as much as there can be.
func (n *atATime) Set(s string) error {
	got, err := strconv.Atoi(s)
	if err != nil || got < 1 {
		return fmt.Errorf("write a number from 1 to %d", mostChannels)
	}
	*n = atATime(min(got, mostChannels))
	return nil
}

// span is a flag: a time, in seconds if there is no unit.
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
