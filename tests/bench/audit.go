package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// audited compares copies, with and without an audit log, while clients make
// ten thousand events a second; and small files, whose lines are synced with
// them. Without an audit log nothing writes the events.
func (b *bench) audited() error {
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, b.size); err != nil {
		return err
	}
	folders, err := b.makeSmall()
	if err != nil {
		return err
	}
	var both [2]*server
	for i, more := range [][]string{{"--log-level", "error"}, {"--log-level", "error", "--config", filepath.Join(b.fast, "audit.toml")}} {
		if err := b.writeAudit(); err != nil {
			return err
		}
		if both[i], err = b.start(b.servers[0], filepath.Join(b.disk, fmt.Sprint("audit", i)), nil, more...); err != nil {
			return err
		}
		defer both[i].stop()
	}
	for range b.rounds {
		for i, s := range both {
			if err := b.auditRound(s, []string{"no audit log", "audit on"}[i], source, folders); err != nil {
				return err
			}
		}
	}
	return nil
}

// auditRound moves a large file with a busy log, and small files with a quiet one.
func (b *bench) auditRound(s *server, what, source string, folders []string) error {
	for _, rate := range []int{0, 10_000} {
		stop, err := s.makeEvents(rate)
		if err != nil {
			return err
		}
		put, err1 := s.measure(func() error { return s.sftp(nil, "put "+source+" "+s.remote+"file") })
		get, err2 := s.measure(func() error { return s.sftp(nil, "get "+s.remote+"file "+source+".back") })
		made, err3 := stop()
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		with := fmt.Sprintf("%d events/s, %s", rate, what)
		b.note("get", with, s.kind.name, get)
		b.note("put", with, s.kind.name, put)
		if rate > 0 {
			b.table.add(with, "events/s made", s.kind.name, made)
		}
	}
	small, err := s.measure(func() error {
		return together(func(n int) error { return s.sftp(nil, "put "+folders[n]+"/* "+s.remote) })
	})
	b.table.add("4 KiB files, 8 connections, "+what, "files/s", s.kind.name, smallCount/small.wall.Seconds())
	b.table.add("4 KiB files, 8 connections, "+what, "CPU ms each", s.kind.name, small.cpu.Seconds()*1000/smallCount)
	return errors.Join(err, s.empty())
}

// writeAudit writes a configuration with an audit log.
func (b *bench) writeAudit() error {
	log := filepath.Join(b.disk, "audit.jsonl")
	return os.WriteFile(filepath.Join(b.fast, "audit.toml"), fmt.Appendf(nil, "audit_log = %q\n", log), 0o600)
}

// makeEvents has clients open a file that is not there, so many times a second
// together, until stop is called; that tells how often it was, a second.
func (s *server) makeEvents(rate int) (stop func() (made float64, err error), err error) {
	const clients = 4
	done := make(chan struct{})
	counts := make([]int, clients)
	var all []*client
	var group sync.WaitGroup
	start := time.Now()
	for n := range clients {
		if rate == 0 {
			break
		}
		c, err := s.open()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		group.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				for due := int(time.Since(start).Seconds() * float64(rate/clients)); counts[n] < due; counts[n]++ {
					if f, err := c.sftp.Open("nothing"); err == nil {
						f.Close()
					}
				}
			}
		})
	}
	return func() (float64, error) {
		close(done)
		group.Wait()
		took, sum := time.Since(start), 0
		for n, c := range all {
			sum += counts[n]
			c.close()
		}
		return float64(sum) / took.Seconds(), nil
	}, nil
}
