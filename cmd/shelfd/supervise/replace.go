package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"shelf/cmd/shelfd/admin"
)

// running is a server that runs: a process, or a unit of systemd.
type running interface {
	pid() int
	end() error            // has it take no more connections, and end after its transfers
	gone() <-chan struct{} // closed when it has ended, if that is known
}

// healthyWithin is how long a server may take from serving to being healthy.
const healthyWithin = 5 * time.Second

// replace starts a server beside the one that answers at the admin socket, and waits
// until it is healthy; then the caller ends the old one. If it does not come to that,
// the new one ends, and all is as before.
func replace(ctx context.Context, socket string, start func(context.Context) (running, error)) (running, error) {
	name, err := keepName(socket)
	if err != nil {
		return nil, fmt.Errorf("the admin socket of the old server: %w", err)
	}
	defer name.drop()
	next, err := start(ctx)
	if err == nil {
		if err = awaitHealth(ctx, socket, next); err != nil {
			err = errors.Join(err, unlessEnded(next.end()))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the new server %w; the old one goes on", err), name.restore())
	}
	return next, nil
}

// unlessEnded is the error of ending a server, unless it has ended by itself.
func unlessEnded(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// awaitHealth waits until a server has taken over the admin socket, and says there that
// it can do its work.
func awaitHealth(ctx context.Context, socket string, s running) error {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	err := errors.New("it has not answered")
	for {
		var now admin.Status
		if asked := ask(ctx, socket, "GET", "status", &now); asked == nil && now.PID == s.pid() {
			if err = healthy(ctx, socket); err == nil {
				return nil
			}
		}
		select {
		case <-s.gone():
			return errors.New("has ended at once; its log says why")
		case <-ctx.Done():
			return fmt.Errorf("is not healthy: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func healthy(ctx context.Context, socket string) error {
	var r admin.Readiness
	if err := ask(ctx, socket, "GET", "ready", &r); err != nil || r.Ready {
		return err
	}
	var failed []string
	for _, c := range r.Checks {
		if c.Reason != "" {
			failed = append(failed, c.Name+": "+c.Reason)
		}
	}
	return errors.New(strings.Join(failed, "; "))
}

// kept is a second name of the admin socket of the old server. The new one takes the
// first.
type kept struct{ socket, second string }

func keepName(socket string) (kept, error) {
	k := kept{socket, socket + ".kept"}
	k.drop() // of an upgrade that was killed
	err := os.Link(socket, k.second)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // no server answers there
	}
	return k, err
}

// restore gives the old server its name again.
func (k kept) restore() error {
	err := os.Rename(k.second, k.socket)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (k kept) drop() { os.Remove(k.second) }
