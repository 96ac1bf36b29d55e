package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// clients compares shelf with sftp, against every server, as both come.
func (b *bench) clients() error {
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, b.size); err != nil {
		return err
	}
	back := filepath.Join(b.fast, "back")
	if err := os.Mkdir(back, 0o755); err != nil {
		return err
	}
	return b.each(b.fast, nil, func(s *server) error {
		var took [4]time.Duration
		for i, f := range []func() error{
			func() error { return s.sftp(nil, "put "+source+" "+s.remote+"source") },
			func() error { return b.runShelf(s, "put", source) },
			func() error { return s.sftp(nil, "get "+s.remote+"source "+back+"/source") },
			func() error { return b.runShelf(s, "get", "-f", "source", "to", back) },
		} {
			if i == 1 { // shelf does not send again what is there
				os.Remove(filepath.Join(s.library, "source"))
			}
			os.Remove(filepath.Join(back, "source"))
			start := time.Now()
			if err := f(); err != nil {
				return err
			}
			took[i] = time.Since(start)
		}
		b.table.add("put, shelf to sftp", "times as fast", s.kind.name, took[0].Seconds()/took[1].Seconds())
		b.table.add("get, shelf to sftp", "times as fast", s.kind.name, took[2].Seconds()/took[3].Seconds())
		return nil
	})
}

func (b *bench) runShelf(s *server, args ...string) error {
	to := fmt.Sprintf("sftp://%s@%s/%s", s.user, s.addr(), s.remote)
	flags := []string{"-q", "-F", "none", "-i", s.key, "--accept-new", "--known-hosts", filepath.Join(s.dir, "known_hosts"), to}
	c := exec.Command(b.shelf, append(flags, args...)...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", c, err, out)
	}
	return nil
}
