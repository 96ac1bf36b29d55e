package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/notify"
)

// supervision is the part that tells the service manager how the server is, if there
// is one that wants to hear it.
type supervision struct {
	server *server
	stop   func()
}

func (v *supervision) check(config.Settings) error { return nil }

func (v *supervision) open(s config.Settings) error {
	m, err := notify.Connect(os.Getenv)
	if err != nil {
		return &problem{"", "The service manager cannot be told", err, "NOTIFY_SOCKET must name its socket, or nothing."}
	}
	v.server.manager, v.stop = m, func() {}
	if m == nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { v.tell(ctx, m) })
	v.stop = func() { stop(); running.Wait() }
	return nil
}

func (v *supervision) reload(_, _ config.Settings) (func() error, error) { return nil, nil }

func (v *supervision) close() {
	v.stop()
	v.server.manager.Close()
}

// tellEvery is how often the manager is told what the server does.
const tellEvery = 10 * time.Second

// tell tells the manager what the server does, and that it lives: what it takes for
// that are the locks that each connection takes, too.
func (v *supervision) tell(ctx context.Context, m *notify.Manager) {
	every := tellEvery
	if w := m.Watchdog(); w > 0 {
		every = min(every, w/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := ""
	for {
		s := v.server.admin.server.Status()
		line := fmt.Sprintf("%s: %d connections, %d uploads, %d downloads", s.State, s.Limits[0].Use, s.Transfers.Uploads, s.Transfers.Downloads)
		if len(s.Problems) > 0 {
			line += "; " + s.Problems[0]
		}
		if line != said {
			m.Status(line)
			said = line
		}
		m.Alive()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
