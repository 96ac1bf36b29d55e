package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	loginsARound = 200
	idleCount    = 500

	idleCrowdCount = 5000
	crowdCount     = 1000
)

// logins has eight clients connect, log in and leave.
func (b *bench) logins() error {
	return b.each(b.fast, nil, func(s *server) error {
		c, err := s.measure(func() error {
			return together(func(int) error {
				for range loginsARound / atOnce {
					c, err := s.connect()
					if err != nil {
						return err
					}
					c.close()
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
		b.table.add("logins, 8 clients", "1/s", s.kind.name, loginsARound/c.wall.Seconds())
		b.table.add("logins, 8 clients", "CPU ms each", s.kind.name, c.cpu.Seconds()*1000/loginsARound)
		return nil
	})
}

// idleSessions holds sessions that have each moved a file, and looks at what
// the server holds for one.
func (b *bench) idleSessions() error {
	once := *b
	once.rounds = 1
	return once.each(b.fast, nil, func(s *server) error { return b.holdIdle(s, idleCount) })
}

func (b *bench) holdIdle(s *server, count int) error {
	before, err := memory(s.cmd.Process.Pid, "Pss")
	if err != nil {
		return err
	}
	all, err := s.openMany(count, mib)
	defer closeAll(all)
	if err != nil {
		return err
	}
	// What is garbage by then is not held for a session.
	time.Sleep(restTime)
	after, err := memory(s.cmd.Process.Pid, "Pss")
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("idle session, of %d", count), "KiB PSS", s.kind.name, float64(after-before)/float64(count)/1024)
	return nil
}

// idleCrowd holds ten times as many, with shelfd alone. Each takes a descriptor here
// and there.
func (b *bench) idleCrowd() error {
	config := filepath.Join(b.fast, "idle.toml")
	text := fmt.Sprintf("max_connections = %d\n[account_limits]\nconnections = %[1]d\nchannels = %[1]d\n", 2*idleCrowdCount)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	s, err := b.start(b.servers[0], filepath.Join(b.fast, "idle"), nil, "--config", config)
	if err != nil {
		return err
	}
	defer s.stop()
	return b.holdIdle(s, idleCrowdCount)
}

// restTime is how long a server may take to give back what it does not need.
const restTime = 30 * time.Second

// openMany opens sessions, one after the other, that each put and get a file of
// so many bytes.
func (s *server) openMany(n, size int) ([]*client, error) {
	content := make([]byte, size)
	var all []*client
	for i := range n {
		c, err := s.open()
		if err != nil {
			return all, fmt.Errorf("session %d: %w", i, err)
		}
		all = append(all, c)
		if err := c.upload(fmt.Sprintf("%sfile%d", s.remote, i), content); err != nil {
			return all, fmt.Errorf("session %d: %w", i, err)
		}
	}
	return all, nil
}

func closeAll(all []*client) {
	for _, c := range all {
		c.close()
	}
}

// crowd has a thousand sessions transfer a file each, all at once, and looks at
// the most that shelfd held.
func (b *bench) crowd() error {
	s, err := b.start(b.servers[0], b.fast+"/crowd", nil)
	if err != nil {
		return err
	}
	defer s.stop()
	all, err := s.openMany(crowdCount, 0)
	defer closeAll(all)
	if err != nil {
		return err
	}
	content := make([]byte, mib)
	failed := make(chan error, len(all))
	for i, c := range all {
		go func() { failed <- c.upload(fmt.Sprintf("%sfile%d", s.remote, i), content) }()
	}
	for range all {
		if err := <-failed; err != nil {
			return err
		}
	}
	peak, err := peakRSS(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("%d sessions put 1 MiB at once", crowdCount), "MiB peak RSS", s.kind.name, float64(peak)/mib)
	return nil
}
