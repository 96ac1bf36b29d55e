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

const (
	farSize       = 256 * mib // of a large file, in bytes
	farSmallCount = 1000      // of files of smallSize that shelf puts
	farStockCount = 40        // and of those that sftp puts, which takes a while
)

// far copies a large file over long links, by sftp and by shelf. The time of
// logging in, which is that of an empty session, does not count.
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
	sftpEnters, err := timed(func() error { return s.sftp(nil, "pwd") })
	if err != nil {
		return err
	}
	shelfEnters, err := timed(func() error { return b.runShelf(s, "pwd") })
	if err != nil {
		return err
	}
	there, here := filepath.Join(s.library, "source"), filepath.Join(back, "source")
	for _, way := range []struct {
		what   string
		enters time.Duration
		copy   func() error
	}{
		{"sftp put", sftpEnters, func() error { return s.sftp(nil, "put "+source+" "+s.remote+"source") }},
		{"sftp get", sftpEnters, func() error { return s.sftp(nil, "get "+s.remote+"source "+here) }},
		{"shelf get", shelfEnters, func() error { return b.runShelf(s, "get", "-f", "source", "to", back) }},
		{"shelf put", shelfEnters, func() error { // which does not send again what is there
			os.Remove(there)
			return b.runShelf(s, "put", source)
		}},
	} {
		os.Remove(here)
		took, err := timed(way.copy)
		if err != nil {
			return fmt.Errorf("%s: %w", way.what, err)
		}
		b.table.add(fmt.Sprintf("%s, round trip of %v", way.what, roundTrip), "MiB/s", s.kind.name, farSize/mib/(took-way.enters).Seconds())
	}
	return nil
}

func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

// farSmall puts many small files over a long link.
func (b *bench) farSmall() error {
	folder, err := makeFiles(filepath.Join(b.fast, "many"), farSmallCount)
	if err != nil {
		return err
	}
	few, err := makeFiles(filepath.Join(b.fast, "few"), farStockCount)
	if err != nil {
		return err
	}
	roundTrip := roundTrips[0]
	return b.each(b.disk, nil, func(s *server) error {
		return s.far(roundTrip, func(s *server) error {
			for _, way := range []struct {
				what  string
				count int
				put   func() error
			}{
				{"sftp", farStockCount, func() error { return s.sftp(nil, "put "+few+"/* "+s.remote) }},
				{"shelf", farSmallCount, func() error {
					files, err := filepath.Glob(folder + "/*")
					if err != nil {
						return err
					}
					return b.runShelf(s, append([]string{"put"}, files...)...)
				}},
			} {
				took, err := timed(way.put)
				if err != nil {
					return fmt.Errorf("%s: %w", way.what, err)
				}
				if err := s.empty(); err != nil {
					return err
				}
				b.table.add(fmt.Sprintf("4 KiB files by %s, round trip of %v", way.what, roundTrip), "files/s", s.kind.name, float64(way.count)/took.Seconds())
			}
			return nil
		})
	})
}

// farCrowd has many put a file over a long link at once, and looks at the most that
// shelfd held.
func (b *bench) farCrowd() error {
	const (
		count = 50
		size  = 16 * mib
	)
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, size); err != nil {
		return err
	}
	near, err := b.start(b.servers[0], filepath.Join(b.fast, "farcrowd"), nil)
	if err != nil {
		return err
	}
	defer near.stop()
	return near.far(roundTrips[1], func(s *server) error {
		failed := make(chan error, count)
		for i := range count {
			go func() { failed <- b.runShelf(s, "put", source, "as", fmt.Sprint("source", i)) }()
		}
		for range count {
			if err := <-failed; err != nil {
				return err
			}
		}
		peak, err := peakRSS(s.cmd.Process.Pid)
		if err != nil {
			return err
		}
		b.table.add(fmt.Sprintf("%d far uploads at once", count), "MiB peak RSS", s.kind.name, float64(peak)/mib)
		return nil
	})
}
