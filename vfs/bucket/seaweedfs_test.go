package bucket_test

import (
	"os/exec"
	"testing"
	"time"

	"shelf/tests/objectstore"
	"shelf/vfs"
	"shelf/vfs/bucket"
	"shelf/vfs/vfstest"
)

// TestSeaweedFS is TestBucket on another store. "make seaweedfs" builds that and runs it.
func TestSeaweedFS(t *testing.T) {
	if _, err := exec.LookPath(objectstore.SeaweedFS); err != nil {
		t.Skip("SeaweedFS is not installed: make seaweedfs")
	}
	s, err := objectstore.StartSeaweedFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	g := &gateway{url: s.URL}
	for range 100 { // until it has the bucket
		if _, err = bucket.Probe(t.Context(), g.options(t)); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	vfstest.Test(t, func(t *testing.T) vfs.Library { return open(t, g.options(t)) })
}
