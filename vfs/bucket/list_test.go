package bucket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
)

// A long list takes no more memory at its end than at its start, and its first files
// are there after the first pages.
func TestLongListIsFlat(t *testing.T) { // not parallel: it looks at the heap
	count := 100_000
	if *torture {
		count = 1_000_000
	}
	g := startGateway(t, false)
	o := g.options(t)
	target, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	var pages atomic.Int64
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // the signed Host stays
	}}
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("list-type") != "2" || q.Get("delimiter") == "" || q.Get("max-keys") != "1000" {
			forward.ServeHTTP(w, r)
			return
		}
		pages.Add(1)
		from, _ := strconv.Atoi(q.Get("continuation-token"))
		fmt.Fprint(w, "<ListBucketResult>")
		for i := from; i < min(from+1000, count); i++ {
			fmt.Fprintf(w, `<Contents><Key>%s/file-%07d</Key><ETag>"%032d"</ETag><Size>%d</Size>`+
				`<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>`, o.Prefix, i, i, i)
		}
		if next := from + 1000; next < count {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", next)
		}
		fmt.Fprint(w, "</ListBucketResult>")
	}))
	t.Cleanup(full.Close)
	o.Connection.Endpoint = full.URL
	lib := open(t, o)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	listed, atStart := 0, int64(0)
	for i, err := range lib.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("file-%07d", listed); i.Name != want || i.Size != int64(listed) {
			t.Fatalf("%+v is listed, want %s", i, want)
		}
		switch listed++; listed {
		case 1:
			if n := pages.Load(); n > 3 {
				t.Errorf("%d pages were read before the first file was told", n)
			}
		case count / 10:
			atStart = heap()
		case count:
			if more := heap() - atStart; more > 16<<20 {
				t.Errorf("%d bytes more are held at the end", more)
			}
		}
	}
	if listed != count {
		t.Errorf("%d files are listed", listed)
	}
}
