package bucket_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between a library and its store, counts, and spoils calls.
type proxy struct {
	url  string
	sent atomic.Int64 // bytes of bodies that went to the store
	got  atomic.Int64 // bytes of bodies that came from it

	mu    sync.Mutex
	spoil func(*http.Request) fault // nil spoils nothing

	// The store looks whether a DELETE meets its condition, and then removes what is
	// there by then. So one has the store to itself.
	alone sync.RWMutex
}

// fault is what happens to a call.
type fault int

const (
	none        fault = iota
	unavailable       // 503, and the store does not see it
	broken            // 500, after the store has done it
	cutBefore         // the connection ends before the store has seen all of the body
	cutAfter          // the connection ends after the store has done it
	cutBody           // the answer is cut in the middle
	slow              // the answer comes 200 ms late
)

// startProxy starts a proxy before a store.
func startProxy(t *testing.T, g *gateway) *proxy {
	t.Helper()
	target, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // the signed Host stays
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			r.Body = &counted{r.Body, &p.got, -1}
			return nil
		},
	}
	through := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodDelete:
			p.alone.Lock()
			defer p.alone.Unlock()
		case http.MethodPut, http.MethodPost:
			p.alone.RLock()
			defer p.alone.RUnlock()
		}
		forward.ServeHTTP(w, r)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		f := none
		if p.spoil != nil {
			f = p.spoil(r)
		}
		p.mu.Unlock()
		r.Body = &counted{r.Body, &p.sent, -1}
		p.serve(through, w, r, f)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *proxy) serve(forward http.Handler, w http.ResponseWriter, r *http.Request, f fault) {
	switch f {
	case unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case broken:
		forward.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusInternalServerError)
	case cutBefore:
		r.Body = &counted{r.Body, &p.sent, r.ContentLength / 2}
		forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case cutAfter:
		forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case cutBody:
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		panic(http.ErrAbortHandler)
	case slow:
		time.Sleep(200 * time.Millisecond)
		forward.ServeHTTP(w, r)
	default:
		forward.ServeHTTP(w, r)
	}
}

// spoilBy has a function decide what happens to each call.
func (p *proxy) spoilBy(f func(*http.Request) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil = f
}

// spoilNext spoils the next n calls that a function chooses.
func (p *proxy) spoilNext(n int, f fault, which func(*http.Request) bool) {
	p.spoilBy(func(r *http.Request) fault {
		if n == 0 || !which(r) {
			return none
		}
		n--
		return f
	})
}

// counted counts the bytes of a body, and fails after most of them if that is not -1.
type counted struct {
	io.ReadCloser
	n    *atomic.Int64
	most int64
}

func (c *counted) Read(b []byte) (int, error) {
	if c.most == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if c.most > 0 {
		b = b[:min(int64(len(b)), c.most)]
	}
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	if c.most > 0 {
		c.most -= int64(n)
	}
	return n, err
}
