package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	// oneCipher is what the processor time of a copy is compared at.
	oneCipher = "aes128-gcm@openssh.com"
)

// writeRandom makes a file of n bytes that do not compress.
func writeRandom(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, rand.Reader, n); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// copies moves a large file with the stock client as it comes.
func (b *bench) copies() error { return b.copyWith("default cipher", nil) }

// copiesAtOneCipher compares what a copy costs where the cipher is the same,
// and with the least that it could.
func (b *bench) copiesAtOneCipher() error {
	if err := b.copyWith(oneCipher, []string{"-c", oneCipher}); err != nil {
		return err
	}
	return b.floor(oneCipher)
}

func (b *bench) copyWith(what string, options []string) error {
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, b.size); err != nil {
		return err
	}
	return b.each(b.fast, nil, func(s *server) error {
		put, err := s.measure(func() error { return s.sftp(options, "put "+source+" "+s.remote+"file") })
		if err != nil {
			return err
		}
		get, err := s.measure(func() error { return s.sftp(options, "get "+s.remote+"file "+source+".back") })
		if err != nil {
			return err
		}
		if err := same(source, source+".back"); err != nil {
			return err
		}
		b.note("get", what, s.kind.name, get)
		b.note("put", what, s.kind.name, put)
		return os.Remove(source + ".back")
	})
}

// note puts the cost of a copy into the table.
func (b *bench) note(verb, what, server string, c cost) {
	b.table.add(verb+", "+what, "MiB/s", server, float64(b.size)/mib/c.wall.Seconds())
	b.table.add(verb+", "+what, "CPU s/GiB", server, c.cpu.Seconds()*gib/float64(b.size))
}

// same fails unless the files are of one size: their content is a matter of the
// tests.
func same(a, b string) error {
	x, err := os.Stat(a)
	if err != nil {
		return err
	}
	y, err := os.Stat(b)
	if err != nil {
		return err
	}
	if x.Size() != y.Size() {
		return fmt.Errorf("%s has %d bytes, %s %d", a, x.Size(), b, y.Size())
	}
	return nil
}

// atOnce is how many clients work at a time where there are several.
const atOnce = 8

// together runs f atOnce times at a time.
func together(f func(n int) error) error {
	failed := make(chan error, atOnce)
	var all sync.WaitGroup
	for n := range atOnce {
		all.Go(func() { failed <- f(n) })
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// eightAtOnce has eight stock clients copy an eighth of the large file each.
func (b *bench) eightAtOnce() error {
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, b.size/atOnce); err != nil {
		return err
	}
	return b.each(b.fast, nil, func(s *server) error {
		put, err := s.measure(func() error {
			return together(func(n int) error { return s.sftp(nil, fmt.Sprintf("put %s %sfile%d", source, s.remote, n)) })
		})
		if err != nil {
			return err
		}
		get, err := s.measure(func() error {
			return together(func(n int) error { return s.sftp(nil, fmt.Sprintf("get %sfile%d %s.%d", s.remote, n, source, n)) })
		})
		if err != nil {
			return err
		}
		b.note("get", "8 clients at once", s.kind.name, get)
		b.note("put", "8 clients at once", s.kind.name, put)
		return nil
	})
}
