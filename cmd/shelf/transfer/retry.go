package transfer

import (
	"context"
	"errors"
	"time"

	"shelf/cmd/shelf/sftp"
)

// longestWait is the longest time between two tries to connect again.
const longestWait = 30 * time.Second

// retrying is what scripts are told before a try to connect again.
type retrying struct {
	Event   string  `json:"event"` // retrying
	Error   string  `json:"error"`
	Seconds float64 `json:"seconds"` // until then
}

// Persist does something, and does it again after a lost connection, once there is a
// new one. All calls together connect [Options.Retry] times at most, and wait longer
// before each time. The error of Connect is [sftp.ErrLost] if it is worth another try.
func (m *Mover) Persist(ctx context.Context, do func() error) error {
	err := do()
	for errors.Is(err, sftp.ErrLost) && ctx.Err() == nil && m.retried < m.Retry {
		pause := min(time.Second<<m.retried, longestWait)
		m.retried++
		m.UI.Warnf("%v; connecting again in %v (%d of %d)", err, pause, m.retried, m.Retry)
		m.UI.Event(retrying{"retrying", err.Error(), pause.Seconds()})
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		server, again := m.Connect(ctx)
		if err = again; err == nil {
			m.Server = server
			err = do()
		}
	}
	return err
}
