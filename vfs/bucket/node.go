package bucket

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// node is this process among those that serve the bucket. While it has uploads that
// others may know of, an object with its id is written again and again. Others see by
// the age of that object, on the clock of the store, whether it is alive.
type node struct {
	s  *store
	id string

	mu    sync.Mutex
	holds int // uploads that others may know of
	beat  time.Time
}

// The heart of a node beats, and after a while of silence others hold it for dead.
const (
	heartbeat = 2 * time.Second
	deadAfter = 10 * time.Second
)

func newNode(s *store) *node { return &node{s: s, id: newID()} }

// run beats until ctx ends.
func (n *node) run(ctx context.Context) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.mu.Lock()
			alive := n.holds > 0
			n.mu.Unlock()
			if alive {
				n.show(ctx)
			}
		}
	}
}

func (n *node) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deadAfter)
	defer cancel()
	err := n.s.putText(ctx, n.s.hiddenKey("node", n.id), nil)
	if err != nil {
		n.s.o.Log.Warn("other nodes can't see that this one is alive", "err", err)
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.beat = time.Now()
	return nil
}

// hold is called before others can know of an upload, and release after that.
func (n *node) hold(ctx context.Context) error {
	n.mu.Lock()
	n.holds++
	fresh := time.Since(n.beat) < 2*heartbeat
	n.mu.Unlock()
	if fresh {
		return nil
	}
	err := n.show(ctx)
	if err != nil {
		n.release()
	}
	return err
}

func (n *node) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.holds--
}

// leave tells others that this node has ended.
func (n *node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), heartbeat)
	defer cancel()
	n.mu.Lock()
	shown := !n.beat.IsZero()
	n.mu.Unlock()
	if shown {
		n.s.removeHidden(ctx, n.s.hiddenKey("node", n.id))
	}
}

// isAlive tells of another node whether it may be alive. Of this one it is true: what
// it has is under way.
func (n *node) isAlive(ctx context.Context, id string) (bool, error) {
	b, err := n.beatOf(ctx, id)
	return !b.dead, err
}

// beat is the last that was heard of a node.
type beat struct {
	dead  bool // or there is none
	own   bool // it is this one
	at    time.Time
	quiet time.Duration // since then
}

func (n *node) beatOf(ctx context.Context, id string) (beat, error) {
	if id == "" || id == n.id {
		return beat{dead: id == "", own: id != ""}, nil
	}
	o, err := n.s.head(ctx, n.s.hiddenKey("node", id))
	if isGone(err) {
		return beat{dead: true, quiet: math.MaxInt64}, nil
	}
	if err != nil {
		return beat{}, err
	}
	at := aws.ToTime(o.LastModified)
	quiet := storeTime(o.ResultMetadata).Sub(at)
	return beat{dead: quiet >= deadAfter, at: at, quiet: quiet}, nil
}

// silence is for how long a node has not shown that it is alive.
func (n *node) silence(ctx context.Context, id string) (time.Duration, error) {
	b, err := n.beatOf(ctx, id)
	return b.quiet, err
}
