package bucket_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"shelf/tests/objectstore"
	"shelf/vfs/bucket"
)

// proxy is one of package objectstore for the time of a test.
type proxy struct {
	*objectstore.Proxy
	url       string
	sent, got *atomic.Int64
}

type fault = objectstore.Fault

const (
	none        = objectstore.None
	unavailable = objectstore.Unavailable
	broken      = objectstore.Broken
	cutBefore   = objectstore.CutBefore
	cutAfter    = objectstore.CutAfter
	cutBody     = objectstore.CutBody
	slow        = objectstore.Slow
	forbidden   = objectstore.Forbidden
)

// startProxy starts a proxy before a store.
func startProxy(t *testing.T, g *gateway) *proxy {
	t.Helper()
	p, err := objectstore.NewProxy(g.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &proxy{p, p.URL, &p.Sent, &p.Got}
}

// putProxyBefore starts a proxy that libraries with these options have before their store.
func putProxyBefore(t *testing.T, g *gateway, o *bucket.Options) *proxy {
	t.Helper()
	p := startProxy(t, g)
	o.Connection.Endpoint = p.url
	return p
}

func (p *proxy) spoilBy(f func(*http.Request) fault) { p.SpoilBy(f) }

func (p *proxy) spoilNext(n int, f fault, which func(*http.Request) bool) { p.SpoilNext(n, f, which) }
