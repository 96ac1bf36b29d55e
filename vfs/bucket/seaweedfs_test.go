package bucket_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"shelf/tests/objectstore"
	"shelf/vfs"
	"shelf/vfs/bucket"
	"shelf/vfs/vfstest"
)

// TestSeaweedFS is TestBucket on another store. "make seaweedfs" builds that and runs it.
func TestSeaweedFS(t *testing.T) {
	g := startSeaweedFS(t)
	vfstest.Test(t, func(t *testing.T) vfs.Library { return open(t, g.options(t)) })
}

// TestSeaweedFSVersioned is TestVersionedBucket on that store. With versions it takes no names
// of more than 246 bytes.
func TestSeaweedFSVersioned(t *testing.T) {
	g := startSeaweedFS(t)
	g.version(t)
	vfstest.Test(t, func(t *testing.T) vfs.Library {
		if strings.HasSuffix(t.Name(), "/Names") {
			t.Skip("this store adds 9 bytes to the name of a file that has versions")
		}
		o := g.options(t)
		o.Versions.PerName = 100
		return open(t, o)
	})
}

func startSeaweedFS(t *testing.T) *gateway {
	t.Helper()
	if _, err := exec.LookPath(objectstore.SeaweedFS); err != nil {
		t.Skip("SeaweedFS is not installed: make seaweedfs")
	}
	s, err := objectstore.StartSeaweedFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	g := &gateway{url: s.URL, store: s}
	for range 100 { // until it has the bucket
		if _, err = bucket.Probe(t.Context(), g.options(t)); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}
