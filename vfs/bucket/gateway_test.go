package bucket_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shelf/tests/objectstore"
	"shelf/vfs"
	"shelf/vfs/bucket"
	"shelf/vfs/vfstest"
)

// gateway is a store of the tests.
type gateway struct {
	folder string // holds the bucket as a folder
	url    string
	store  *objectstore.Store
}

const (
	bucketName = objectstore.Bucket
	accessKey  = objectstore.AccessKey
	secretKey  = objectstore.SecretKey
)

// startGateway starts a store; versioned has it keep old versions.
func startGateway(t testing.TB, versioned bool) *gateway {
	t.Helper()
	if _, err := exec.LookPath(objectstore.Program); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != "" {
			t.Fatal("versitygw is not installed")
		}
		t.Skip("versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	}
	folder, versions := t.TempDir(), ""
	if err := os.Mkdir(filepath.Join(folder, bucketName), 0o755); err != nil {
		t.Fatal(err)
	}
	if versioned {
		versions = t.TempDir()
	}
	s, err := objectstore.Start(folder, versions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return &gateway{folder, s.URL, s}
}

var prefixes atomic.Int32

// options are for a library of its own in the store.
func (g *gateway) options(t testing.TB) bucket.Options {
	t.Helper()
	credentials, err := objectstore.WriteCredentials(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	spool, err := bucket.OpenSpool(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	return bucket.Options{
		Bucket: bucketName, Prefix: fmt.Sprintf("in/%d", prefixes.Add(1)),
		Connection: bucket.Connection{Endpoint: g.url, PathStyle: true, CredentialsFiles: []string{credentials}},
		Spool:      spool,
		Log:        slog.New(slog.NewTextHandler(logTo{t}, nil)),
	}
}

// logTo writes the log of a library to that of its test.
type logTo struct{ t testing.TB }

func (l logTo) Write(p []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// open opens a library as a node.
func open(t testing.TB, o bucket.Options) *bucket.Bucket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := bucket.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBucket(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	vfstest.Test(t, func(t *testing.T) vfs.Library { return open(t, g.options(t)) })
}

func TestVersionedBucket(t *testing.T) {
	t.Parallel()
	g := startGateway(t, true)
	g.version(t)
	vfstest.Test(t, func(t *testing.T) vfs.Library {
		o := g.options(t)
		o.Allow = []string{"put-if-absent-after-delete"} // a known fault of this store
		o.Versions.PerName = 100
		return open(t, o)
	})
}

// Limits count for one node alone as in a folder.
func TestBucketLimits(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	vfstest.TestQuota(t, func(t *testing.T, limit vfs.UsageInfo) vfs.Library {
		o := g.options(t)
		o.Quota, o.MaxFiles = limit.Bytes, limit.Files
		o.Partials = bucket.PartialRules{MinSize: 1, PerAccount: 1}
		return open(t, o)
	})
}

// Without conditions nodes would overwrite what others have taken of a limit.
func TestLimitsNeedConditions(t *testing.T) {
	for _, has := range []bool{false, true} {
		limited, free := bucket.Options{MaxFiles: 1}, bucket.Options{}
		if err := limited.CanLimit(true, has); (err == nil) != has {
			t.Errorf("with put-if-match %v: %v", has, err)
		}
		if err := limited.CanLimit(has, true); (err == nil) != has {
			t.Errorf("with put-if-absent %v: %v", has, err)
		}
		if err := free.CanLimit(has, has); err != nil {
			t.Errorf("without limits: %v", err)
		}
	}
}

// client is a plain client of the store.
func (g *gateway) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &g.url, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// version has the bucket keep old versions.
func (g *gateway) version(t testing.TB) {
	t.Helper()
	if err := g.store.KeepVersions(t.Context()); err != nil {
		t.Fatal(err)
	}
}
