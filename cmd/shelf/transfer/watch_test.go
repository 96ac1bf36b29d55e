package transfer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"shelf/cmd/shelf/sftp"
)

// listener hears what is said, and waits for a file that is put.
type listener struct {
	mu   sync.Mutex
	said []string
	put  chan string
}

func (l *listener) Sayf(format string, _ ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, format)
}

func (l *listener) Warnf(format string, args ...any)             { l.Sayf(format, args...) }
func (l *listener) Detailf(string, ...any)                       {}
func (l *listener) Size(int64) string                            { return "" }
func (l *listener) Confirm(context.Context, string, ...any) bool { return false }

func (l *listener) Event(v any) {
	if e, ok := v.(fileEvent); ok && e.Event == "done" {
		l.put <- filepath.Base(e.Name)
	}
}

// When the system has lost events, and the connection is lost, too, the watch
// connects again before it compares the folder, until that succeeds.
func TestWatchOverflowsWhileLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "missed"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &listener{put: make(chan string, 1)}
	m := &Mover{UI: l, Options: Options{Settle: 20 * time.Millisecond, noLinks: true},
		Bars: func(int) (func(string) Bar, func()) { return nil, func() {} }}
	tries, server := 0, client(t)
	w := &watching{Mover: m, dir: dir, changed: map[string]time.Time{}}
	m.Connect = func(ctx context.Context) (*sftp.Client, error) {
		if tries++; tries < 3 {
			return nil, errors.New("the network is down")
		}
		return server, nil
	}
	events := &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error, 1)}
	events.Errors <- fsnotify.ErrEventOverflow
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, events) }()
	select {
	case name := <-l.put:
		if name != "missed" {
			t.Errorf("%s was put", name)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("nothing was put; said: %q", l.said)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
