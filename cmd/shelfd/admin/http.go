package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxClients is how many may be connected to one listener. One more takes the place
// of the one that has been idle for the longest.
const maxClients = 64

// Listener is a listener whose requests are answered.
type Listener struct {
	http *http.Server
	done chan struct{}
}

// Serve answers the requests that come through l, until Close. Log gets faults.
func Serve(l net.Listener, h http.Handler, log *slog.Logger) *Listener {
	s := &Listener{done: make(chan struct{})}
	idle := &waiting{most: maxClients}
	s.http = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       withPeer,
		ConnState:         idle.change,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // of clients
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("requests of operators are not answered any more", "address", l.Addr().String(), "reason", err)
		}
	}()
	return s
}

// Close answers what is being asked, if that does not take long, and ends all
// connections.
func (s *Listener) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	<-s.done
}

// lastAnswers is how long Close waits for answers.
const lastAnswers = 500 * time.Millisecond

// waiting knows which connections wait for a request.
type waiting struct {
	most int

	mu   sync.Mutex
	all  int        // connections; mu
	idle []net.Conn // the one that waits longest is the first; mu
}

// change is told what each connection does now.
func (w *waiting) change(nc net.Conn, state http.ConnState) {
	if old := w.note(nc, state); old != nil {
		old.Close()
	}
}

// note returns the connection whose place is needed, or nil.
func (w *waiting) note(nc net.Conn, state http.ConnState) io.Closer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state == http.StateNew {
		w.all++
	}
	if at := slices.Index(w.idle, nc); at >= 0 {
		w.idle = slices.Delete(w.idle, at, at+1)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		w.idle = append(w.idle, nc)
	case http.StateClosed, http.StateHijacked:
		w.all--
	}
	if w.all > w.most && len(w.idle) > 0 {
		return w.idle[0]
	}
	return nil
}
