package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pkg/sftp"
)

// printable shows a text from the server with all that a terminal could act on
// escaped.
func printable(s string) string {
	q := strconv.QuoteToGraphic(s)
	q = q[1 : len(q)-1]
	return strings.ReplaceAll(q, `\"`, `"`)
}

// size is a count of bytes for people.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < 5 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[unit])
}

// reason is an error with the server's own words made safe to print.
func reason(err error) error {
	if e := (*sftp.StatusError)(nil); errors.As(err, &e) {
		return errors.New(printable(err.Error()))
	}
	return err
}
