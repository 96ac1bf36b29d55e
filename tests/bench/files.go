package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	smallCount = 10_000
	smallSize  = 4 << 10
	listCount  = 100_000

	millionCount = 1_000_000
)

// smallFiles puts many small files into a library on a disk, over eight
// connections and over one. shelfd runs a second time without fsync, which the
// others never do.
func (b *bench) smallFiles() error {
	folders, err := b.makeSmall()
	if err != nil {
		return err
	}
	for _, way := range []struct {
		what  string
		count int
		put   func(s *server) error
	}{
		{"8 connections", smallCount, func(s *server) error {
			return together(func(n int) error { return s.sftp(nil, "put "+folders[n]+"/* "+s.remote) })
		}},
		{"1 connection", smallCount / atOnce, func(s *server) error { return s.sftp(nil, "put "+folders[0]+"/* "+s.remote) }},
	} {
		err := b.eachDurability(func(s *server, as ...string) error {
			c, err := s.measure(func() error { return way.put(s) })
			for _, what := range as {
				b.table.add(what+", "+way.what, "files/s", s.kind.name, float64(way.count)/c.wall.Seconds())
				b.table.add(what+", "+way.what, "CPU ms each", s.kind.name, c.cpu.Seconds()*1000/float64(way.count))
			}
			return errors.Join(err, s.empty())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachDurability runs f for every server, on a disk, and names the rows of the
// table that it counts for: shelfd runs twice, as it comes and told not to wait
// for the disk; what the others do, which never wait, stands beside both.
func (b *bench) eachDurability(f func(s *server, as ...string) error) error {
	const durable, not = "4 KiB files", `4 KiB files, durability "none"`
	config := filepath.Join(b.fast, "none.toml")
	if err := os.WriteFile(config, []byte("durability = \"none\"\n"), 0o600); err != nil {
		return err
	}
	hasty, err := b.start(b.servers[0], filepath.Join(b.disk, "none"), nil, "--config", config)
	if err != nil {
		return err
	}
	defer hasty.stop()
	return b.each(b.disk, nil, func(s *server) error {
		switch s.kind.name {
		case hasty.kind.name:
			return errors.Join(f(s, durable), f(hasty, not))
		case "before":
			return f(s, durable)
		}
		return f(s, durable, not)
	})
}

// makeSmall makes the files, an eighth in a folder each.
func (b *bench) makeSmall() (folders []string, err error) {
	for n := range atOnce {
		folder, err := makeFiles(filepath.Join(b.fast, fmt.Sprintf("small%d", n)), smallCount/atOnce)
		if err != nil {
			return nil, err
		}
		folders = append(folders, folder)
	}
	return folders, nil
}

// makeFiles makes so many small files in a folder, with names of its own.
func makeFiles(folder string, count int) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	for i := range count {
		if err := writeRandom(filepath.Join(folder, fmt.Sprintf("small-%s-%d", filepath.Base(folder), i)), smallSize); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// empty takes the small files out of the library. They are moved and not removed:
// an ext4 without a journal looks at each inode that was removed in the last
// minutes before it makes a file, and whoever is measured next would pay for it.
func (s *server) empty() error {
	files, err := filepath.Glob(filepath.Join(s.library, "small-*"))
	if err != nil {
		return err
	}
	aside, err := os.MkdirTemp(s.dir, "done-")
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Rename(f, filepath.Join(aside, filepath.Base(f))); err != nil {
			return err
		}
	}
	return nil
}

// listing lists a large library with the stock client.
func (b *bench) listing() error { return b.list(listCount) }

// listMillion lists the largest, once.
func (b *bench) listMillion() error {
	once := *b
	once.rounds = 1
	return once.list(millionCount)
}

func (b *bench) list(count int) error {
	fill := func(library string) error {
		for i := range count {
			if err := os.WriteFile(filepath.Join(library, fmt.Sprintf("file-%07d", i)), nil, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	return b.each(b.fast, fill, func(s *server) error {
		c, err := s.measure(func() error { return s.sftp(nil, "ls -1 "+s.remote) })
		if err != nil {
			return err
		}
		what := fmt.Sprintf("list %d files", count)
		b.table.add(what, "s", s.kind.name, c.wall.Seconds())
		b.table.add(what, "CPU s", s.kind.name, c.cpu.Seconds())
		return nil
	})
}
