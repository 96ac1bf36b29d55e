package bucket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"shelf/vfs/bucket"
)

// A one-time code counts once, on whichever node, also if answers of the store are
// lost; an earlier one does not count after it. While the store is away none does.
func TestCodesCountOnce(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	var nodes []*bucket.Codes
	for range 3 {
		c, err := bucket.OpenCodes(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		nodes = append(nodes, c)
	}
	if err := nodes[0].Claim("ada", 100); err != nil {
		t.Fatal(err)
	}
	for period := uint64(101); period < 111; period++ {
		p.spoilBy(func(*http.Request) fault {
			return []fault{none, none, cutAfter}[rand.IntN(3)]
		})
		var good, unsure atomic.Int64
		var all sync.WaitGroup
		for _, c := range nodes {
			for range 2 {
				all.Go(func() {
					switch err := c.Claim("ada", period); {
					case err == nil:
						good.Add(1)
					case !errors.Is(err, fs.ErrExist):
						unsure.Add(1)
					}
				})
			}
		}
		all.Wait()
		if good.Load() > 1 || good.Load()+unsure.Load() == 0 {
			t.Errorf("it counted %d times, and %d do not know", good.Load(), unsure.Load())
		}
		p.spoilBy(nil)
		for _, of := range []uint64{period, period - 1} {
			if err := nodes[1].Claim("ada", of); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%d after %d: %v", of, period, err)
			}
		}
	}
	if err := nodes[2].Claim("ben", 105); err != nil {
		t.Errorf("of another account: %v", err)
	}
	if err := nodes[2].Claim("ada", 150); err != nil {
		t.Error(err)
	}
	if err := nodes[1].Claim("ada", 149); !errors.Is(err, fs.ErrExist) {
		t.Errorf("one that nobody has used, before one that was: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(g.folder, bucketName, o.Prefix, ".shelf/totp/*/*"))
	if err != nil || len(left) != 2 {
		t.Errorf("the codes that are known still: %q", left)
	}
	p.spoilBy(func(r *http.Request) fault {
		if r.Method == http.MethodPut {
			return unavailable
		}
		return none
	})
	if err := nodes[0].Claim("ada", 151); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("while the store is away: %v", err)
	}
}

// A store that ignores conditions takes no codes.
func TestCodesNeedConditions(t *testing.T) {
	t.Parallel()
	obliging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Method == http.MethodGet {
			fmt.Fprint(w, "<ListBucketResult/>")
		}
	}))
	t.Cleanup(obliging.Close)
	o := (&gateway{url: obliging.URL}).options(t)
	c, err := bucket.OpenCodes(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Claim("ada", 1); err == nil || !strings.Contains(err.Error(), "ignores conditions") {
		t.Errorf("a code counted that would count again: %v", err)
	}
}
