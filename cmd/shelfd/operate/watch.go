package operate

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"shelf/cmd/shelfd/admin"
)

// What steers a terminal (ECMA-48).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	homeAndWipe = "\x1b[H\x1b[2J"
)

// watch shows who is connected, again and again until Ctrl-C. At a terminal it has
// a screen of its own; elsewhere, and as JSON, one answer follows the other.
func (c *call) watch(every time.Duration) error {
	out := c.OutOrStdout()
	columns, rows, screen := sizeOf(out)
	if screen && !c.json {
		fmt.Fprint(out, enterScreen)
		defer fmt.Fprint(out, leaveScreen)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before map[string]int64
	var asked time.Time
	for {
		all, err := c.connections(c.Context())
		switch {
		case c.Context().Err() != nil:
			return nil // Ctrl-C
		case err != nil:
			return err
		}
		now := time.Now()
		var rates map[string]float64
		before, rates = ratesSince(all, before, now.Sub(asked))
		asked = now
		if c.json {
			err = printJSON(out, all)
		} else {
			_, err = out.Write(frame(all, rates, now, columns, rows, screen))
		}
		if err != nil {
			return err
		}
		select {
		case <-c.Context().Done():
			return nil
		case <-tick.C:
		}
		columns, rows, _ = sizeOf(out)
	}
}

// ratesSince is how fast transfers are since the last look, in bytes a second.
func ratesSince(all []admin.Connection, before map[string]int64, passed time.Duration) (now map[string]int64, rates map[string]float64) {
	now, rates = make(map[string]int64), make(map[string]float64)
	for _, c := range all {
		for _, t := range c.Transfers {
			key := keyOf(c, t)
			now[key] = t.Bytes
			if was, ok := before[key]; ok && passed > 0 {
				rates[key] = float64(t.Bytes-was) / passed.Seconds()
			}
		}
	}
	return now, rates
}

// frame is one picture, cut to fit the screen.
func frame(all []admin.Connection, rates map[string]float64, now time.Time, columns, rows int, screen bool) []byte {
	var list bytes.Buffer
	fmt.Fprintf(&list, "%s  %s\n\n", now.Format(time.TimeOnly), plural(len(all), "connection"))
	showConnections(&list, all, rates)
	if !screen {
		return append(list.Bytes(), '\n')
	}
	lines := strings.Split(strings.TrimSuffix(list.String(), "\n"), "\n")
	if most := rows - 1; len(lines) > most && most > 1 {
		lines = append(lines[:most-1], fmt.Sprintf("... and %d lines more", len(lines)-most+1))
	}
	for i, line := range lines {
		if runes := []rune(line); len(runes) > columns {
			lines[i] = string(runes[:columns])
		}
	}
	return []byte(homeAndWipe + strings.Join(lines, "\r\n"))
}

// sizeOf is how much fits on a terminal, if out is one.
func sizeOf(out io.Writer) (columns, rows int, is bool) {
	f, ok := out.(*os.File)
	if !ok {
		return 0, 0, false
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	return columns, rows, err == nil
}
