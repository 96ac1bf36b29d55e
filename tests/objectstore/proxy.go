package objectstore

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy stands between a library and its store, counts, and spoils calls.
type Proxy struct {
	URL      string
	Sent     atomic.Int64 // bytes of bodies that went to the store
	Got      atomic.Int64 // bytes of bodies that came from it
	UnderWay atomic.Int64 // calls

	server *httptest.Server
	mu     sync.Mutex
	spoil  func(*http.Request) Fault // nil spoils nothing
}

// Fault is what happens to a call.
type Fault int

// The faults.
const (
	None        Fault = iota
	Unavailable       // 503, and the store does not see it
	Broken            // 500, after the store has done it
	CutBefore         // the connection ends before the store has seen all of the body
	CutAfter          // the connection ends after the store has done it
	CutBody           // the answer is cut in the middle
	Slow              // the answer comes 200 ms late
	Forbidden         // 403, and the store does not see it
)

// NewProxy starts a proxy before the store at a URL.
func NewProxy(store string) (*Proxy, error) {
	target, err := url.Parse(store)
	if err != nil {
		return nil, err
	}
	p := &Proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // the signed Host stays
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			r.Body = &counted{r.Body, &p.Got, -1}
			return nil
		},
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.UnderWay.Add(1)
		defer p.UnderWay.Add(-1)
		p.mu.Lock()
		f := None
		if p.spoil != nil {
			f = p.spoil(r)
		}
		p.mu.Unlock()
		r.Body = &counted{r.Body, &p.Sent, -1}
		p.serve(forward, w, r, f)
	}))
	p.URL = p.server.URL
	return p, nil
}

// Close ends the proxy.
func (p *Proxy) Close() { p.server.Close() }

func (p *Proxy) serve(forward http.Handler, w http.ResponseWriter, r *http.Request, f Fault) {
	switch f {
	case Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case Forbidden:
		w.WriteHeader(http.StatusForbidden)
	case Broken:
		forward.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusInternalServerError)
	case CutBefore:
		r.Body = &counted{r.Body, &p.Sent, r.ContentLength / 2}
		forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case CutAfter:
		forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case CutBody:
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		panic(http.ErrAbortHandler)
	case Slow:
		time.Sleep(200 * time.Millisecond)
		forward.ServeHTTP(w, r)
	default:
		forward.ServeHTTP(w, r)
	}
}

// SpoilBy has a function decide what happens to each call; nil spoils none.
func (p *Proxy) SpoilBy(f func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil = f
}

// SpoilNext spoils the next n calls that a function chooses.
func (p *Proxy) SpoilNext(n int, f Fault, which func(*http.Request) bool) {
	p.SpoilBy(func(r *http.Request) Fault {
		if n == 0 || !which(r) {
			return None
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

// Read implements io.Reader.
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
