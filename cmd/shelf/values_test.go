package main

import (
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	for text, bytes := range map[string]byteRate{"1": 1, "500K": 500 << 10, "2.5m": 5 << 19, "1GiB": 1 << 30} {
		var b byteRate
		if err := b.Set(text); err != nil || b != bytes {
			t.Errorf("%s: %d, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "nan", "NaNK", "inf", "-1", "0", "0.1", "K", "1P", "9999T"} {
		if err := new(byteRate).Set(text); err == nil {
			t.Errorf("%q is taken for a rate", text)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{"10": 10 * time.Second, "0": 0, "2m": 2 * time.Minute, "1.5s": 1500 * time.Millisecond} {
		var d span
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(d), err)
		}
	}
	for _, text := range []string{"", "soon", "-5", "-1s", "1.5"} {
		if err := new(span).Set(text); err == nil {
			t.Errorf("%q is taken for a time", text)
		}
	}
}
