package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// roundTrips are those of the long links: to another country, and to another
// continent.
var roundTrips = []time.Duration{50 * time.Millisecond, 150 * time.Millisecond}

// farSize is how large a file is that is copied over a long link, in bytes.
const farSize = 64 * mib

// far copies a large file over long links, by sftp and by shelf.
func (b *bench) far() error {
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, farSize); err != nil {
		return err
	}
	back := filepath.Join(b.fast, "back")
	if err := os.MkdirAll(back, 0o755); err != nil {
		return err
	}
	return b.each(b.fast, nil, func(s *server) error {
		for _, roundTrip := range roundTrips {
			if err := s.far(roundTrip, func(s *server) error { return b.farCopies(s, roundTrip, source, back) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) farCopies(s *server, roundTrip time.Duration, source, back string) error {
	for _, way := range []struct {
		what string
		copy func() error
	}{
		{"sftp put", func() error { return s.sftp(nil, "put "+source+" "+s.remote+"source") }},
		{"sftp get", func() error { return s.sftp(nil, "get "+s.remote+"source "+back+"/source") }},
		{"shelf get", func() error { return b.runShelf(s, "get", "-f", "source", "to", back) }},
		{"shelf put", func() error { return b.runShelf(s, "put", source) }},
	} {
		switch way.what {
		case "shelf put": // shelf does not send again what is there
			os.Remove(filepath.Join(s.library, "source"))
		case "shelf get", "sftp get":
			os.Remove(filepath.Join(back, "source"))
		}
		start := time.Now()
		if err := way.copy(); err != nil {
			return fmt.Errorf("%s: %w", way.what, err)
		}
		b.table.add(fmt.Sprintf("%s, round trip of %v", way.what, roundTrip), "MiB/s", s.kind.name, farSize/mib/time.Since(start).Seconds())
	}
	return nil
}
