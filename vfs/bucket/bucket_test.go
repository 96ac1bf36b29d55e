package bucket_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shelf/vfs"
	"shelf/vfs/bucket"
)

// text is so many bytes that are not like others of another seed.
func text(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// write writes as clients do: in order, 256 KiB at a time.
func write(t testing.TB, u vfs.Upload, off int64, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := u.WriteAt(b[:min(len(b), 256<<10)], off)
		if err != nil {
			t.Fatal(err)
		}
		b, off = b[n:], off+int64(n)
	}
}

func create(t testing.TB, lib vfs.Library, name string, o vfs.CreateOptions) vfs.Upload {
	t.Helper()
	u, err := lib.Create(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func commit(t testing.TB, u vfs.Upload) vfs.Info {
	t.Helper()
	c, err := u.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.After
}

func put(t testing.TB, lib vfs.Library, name string, b []byte) {
	t.Helper()
	u := create(t, lib, name, vfs.CreateOptions{Create: true, Truncate: true})
	write(t, u, 0, b)
	commit(t, u)
}

func has(t testing.TB, lib vfs.Library, name string, want []byte) {
	t.Helper()
	f, err := lib.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes that are not the %d that were put", name, len(got), len(want))
	}
}

// A large file goes in parts, some of them before CLOSE; what is written again is sent
// again. It is read in order and elsewhere.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	b := text(1, 20<<20+3)
	u := create(t, lib, "large", vfs.CreateOptions{Create: true, Truncate: true, Mode: 0o600, Owner: "ada"})
	write(t, u, 0, b)
	copy(b[5:], "changed")
	write(t, u, 5, b[5:12])
	when := time.Unix(1234567890, 0)
	if err := u.SetAttr(vfs.Attr{HasTimes: true, Atime: when, Mtime: when}); err != nil {
		t.Fatal(err)
	}
	if p.sent.Load() < 8<<20 {
		t.Error("nothing was sent before CLOSE")
	}
	made := commit(t, u)
	if sent := p.sent.Load(); sent > 30<<20 {
		t.Errorf("%d bytes were sent", sent)
	}
	has(t, lib, "large", b)
	now, err := lib.Stat(t.Context(), "large")
	if err != nil || now != made || now.Mode != 0o600 || !now.ModTime.Equal(when) {
		t.Errorf("it is %+v, %v; Commit said %+v", now, err, made)
	}
	for i, err := range lib.List(t.Context()) {
		if err != nil || i.Mode != 0o600 || !i.ModTime.Equal(when) {
			t.Errorf("it is listed as %+v, %v", i, err)
		}
	}
	readAnyhow(t, lib, "large", b)
}

// readAnyhow reads pieces of a file here and there, and pieces that follow each other.
func readAnyhow(t *testing.T, lib vfs.Library, name string, b []byte) {
	t.Helper()
	f, err := lib.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	piece := make([]byte, 100_000)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		off := r.IntN(len(b))
		for range 4 {
			n, err := f.ReadAt(piece, int64(off))
			if want := b[off:min(len(b), off+len(piece))]; !bytes.Equal(piece[:n], want) || (err != nil) != (n < len(piece)) {
				t.Fatalf("at %d: %d bytes, %v", off, n, err)
			}
			if off += n + r.IntN(2)*1000; off >= len(b) {
				break
			}
		}
	}
}

// A partial is gone on with by another node, which sends only what is missing. Its
// digest is known there.
func TestResumeOnAnotherNode(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	b := text(2, 30<<20)
	const cut = 20<<20 + 12345
	for name, end := range map[string]func(*bucket.Bucket, vfs.Upload){
		"lost connection": func(_ *bucket.Bucket, u vfs.Upload) {
			k, _ := vfs.As[vfs.Keeper](u)
			if err := k.Keep(); err != nil {
				t.Fatal(err)
			}
		},
		"dead node": func(lib *bucket.Bucket, _ vfs.Upload) {
			for range 500 { // until its parts are sent
				if lib.Recorded(t.Context(), "ada", "f") >= 16<<20 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			lib.Close()
		},
	} {
		o := g.options(t)
		first := open(t, o)
		u := create(t, first, "f", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
		write(t, u, 0, b[:cut])
		p := putProxyBefore(t, g, &o)
		second := open(t, o)
		if _, err := second.Partial(t.Context(), "ada", "f"); name != "lost connection" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an upload that goes on is shown as a partial: %v", name, err)
		}
		end(first, u)
		at := partialOf(t, second, int64(cut))
		if name == "lost connection" && at != cut {
			t.Errorf("%s: %d bytes were kept of %d", name, at, cut)
		}
		p.sent.Store(0)
		u = create(t, second, "f", vfs.CreateOptions{Owner: "ada"})
		d, _ := vfs.As[vfs.Digest](u)
		sum, err := d.Digest(t.Context(), crypto.SHA256)
		if want := sha256.Sum256(b[:at]); err != nil || !bytes.Equal(sum, want[:]) {
			t.Errorf("%s: the digest of the beginning is %x, %v", name, sum, err)
		}
		if _, err := u.ReadAt(make([]byte, 1), 0); !errors.Is(err, vfs.ErrUnsupported) {
			t.Errorf("%s: the beginning was read: %v", name, err)
		}
		write(t, u, at, b[at:])
		commit(t, u)
		has(t, second, "f", b)
		if sent := p.sent.Load(); sent > int64(len(b))-at+9<<20 {
			t.Errorf("%s: %d bytes were sent of %d that were missing", name, sent, int64(len(b))-at)
		}
		if _, err := second.Partial(t.Context(), "ada", "f"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the partial is left: %v", name, err)
		}
	}
}

// partialOf is the size of the partial, which must be a good part of most.
func partialOf(t *testing.T, lib *bucket.Bucket, most int64) int64 {
	t.Helper()
	i, err := lib.Partial(t.Context(), "ada", "f")
	if err != nil {
		t.Fatal(err)
	}
	if i.Size > most || i.Size < 8<<20 {
		t.Fatalf("the partial has %d bytes of %d", i.Size, most)
	}
	return i.Size
}

// What is as it was in a large file is copied in the store when the file is changed or
// renamed.
func TestLargeFilesAreCopiedInTheStore(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	b := text(3, 40<<20)
	put(t, lib, "f", b)
	p.sent.Store(0)
	p.got.Store(0)

	u := create(t, lib, "f", vfs.CreateOptions{Create: true})
	write(t, u, int64(len(b)), []byte("more"))
	commit(t, u)
	b = append(b, "more"...)
	if _, err := lib.Rename(t.Context(), "f", "g", false); err != nil {
		t.Fatal(err)
	}
	if sent, got := p.sent.Load(), p.got.Load(); sent > 9<<20 || got > 9<<20 {
		t.Errorf("%d bytes were sent and %d read", sent, got)
	}
	has(t, lib, "g", b)
	if _, err := lib.Stat(t.Context(), "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
	put(t, lib, "h", []byte("there"))
	if _, err := lib.Rename(t.Context(), "g", "h", false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("renamed over a file: %v", err)
	}
	has(t, lib, "h", []byte("there"))
	has(t, lib, "g", b)
}

// Who reads a file that is replaced meanwhile has the old one to its end, or is told;
// never a mixture.
func TestReplacedWhileReading(t *testing.T) {
	t.Parallel()
	old, later := text(4, 4<<20), text(5, 4<<20)
	for _, versioned := range []bool{false, true} {
		g := startGateway(t, versioned)
		o := g.options(t)
		if versioned {
			g.version(t)
			o.Allow = []string{"put-if-absent-after-delete"}
		}
		lib := open(t, o)
		if got := lib.Properties().OldVersionsReadable; got != versioned {
			t.Errorf("versioned is %v, and old versions are readable is %v", versioned, got)
		}
		put(t, lib, "f", old)
		f, err := lib.Open(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got := make([]byte, len(old))
		if _, err := f.ReadAt(got[:100], 0); err != nil {
			t.Fatal(err)
		}
		put(t, lib, "f", later)
		n, err := f.ReadAt(got, 0)
		if !bytes.Equal(got[:n], old[:n]) {
			t.Error("a mixture was read")
		}
		if versioned && err != nil {
			t.Errorf("the old version: %v", err)
		}
		var told *vfs.Error
		if !versioned && (!errors.As(err, &told) || !strings.Contains(told.Why, "replaced")) {
			t.Errorf("the old version: %v", err)
		}
	}
}

// An upload may be larger than the spool: what was sent makes room.
func TestSmallSpool(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	spool, err := bucket.OpenSpool(t.TempDir(), 24<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	o.Spool = spool
	lib := open(t, o)
	b := text(6, 60<<20)
	for range 2 { // the second finds all of the spool free again
		u := create(t, lib, "f", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
		write(t, u, 0, b)
		if err := u.Rename("g", true); err != nil {
			t.Fatal(err)
		}
		commit(t, u)
		has(t, lib, "g", b)
	}
	u := create(t, lib, "f", vfs.CreateOptions{Create: true, Truncate: true})
	if err := u.SetAttr(vfs.Attr{HasSize: true, Size: 1 << 40}); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("a size past the spool: %v", err)
	}
	u.Abort()
}

// Calls fail here and there, or their answers are lost. What is done is done once, and
// what is told is true.
func TestFaultyStore(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	small, large := text(7, 5000), text(8, 9<<20)
	isPut := func(r *http.Request) bool {
		return r.Method == http.MethodPut && !strings.Contains(r.URL.Path, ".shelf")
	}
	isComplete := func(r *http.Request) bool {
		return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
	}
	isDelete := func(r *http.Request) bool {
		return r.Method == http.MethodDelete && !strings.Contains(r.URL.Path, ".shelf")
	}
	isGet := func(r *http.Request) bool { return r.Method == http.MethodGet && !r.URL.Query().Has("list-type") }
	for _, f := range []fault{unavailable, broken, cutBefore, cutAfter} {
		p.spoilNext(2, f, isPut)
		u := create(t, lib, "small", vfs.CreateOptions{Create: true, Exclusive: true})
		write(t, u, 0, small)
		commit(t, u)
		p.spoilNext(1, f, isComplete)
		u = create(t, lib, "large", vfs.CreateOptions{Create: true, Exclusive: true})
		write(t, u, 0, large)
		commit(t, u)
		p.spoilNext(1, f, isGet)
		has(t, lib, "small", small)
		p.spoilNext(1, f, isPut)
		if _, err := lib.Rename(t.Context(), "small", "new", false); err != nil {
			t.Fatal(err)
		}
		has(t, lib, "new", small)
		for _, name := range []string{"new", "large"} {
			p.spoilNext(1, f, isDelete)
			if err := lib.Remove(t.Context(), name); err != nil {
				t.Fatalf("fault %d: remove: %v", f, err)
			}
		}
	}
	put(t, lib, "large", large)
	for range 3 {
		p.spoilNext(3, cutBody, isGet)
		has(t, lib, "large", large)
	}
}

// A store that is away is told as such, soon. A Commit whose answer was lost for good
// is uncertain.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes long")
	}
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	put(t, lib, "f", []byte("text"))
	begun := create(t, lib, "lost", vfs.CreateOptions{Create: true})
	write(t, begun, 0, []byte("text"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	p.spoilBy(func(*http.Request) fault { return unavailable })
	if _, err := lib.Stat(ctx, "f"); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("Stat: %v", err)
	}
	p.spoilBy(func(r *http.Request) fault {
		if r.Method == http.MethodPut {
			return cutBefore
		}
		return unavailable
	})
	if _, err := begun.Commit(ctx); !errors.Is(err, vfs.ErrUncertain) {
		t.Errorf("Commit: %v", err)
	}
}

// What a dead node left is ended by another.
func TestSweep(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	first := open(t, o)
	put(t, first, "old", []byte("text"))
	// The rename makes the copy and loses all else.
	copied := false
	p.spoilBy(func(r *http.Request) fault {
		if copied {
			return unavailable
		}
		copied = r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/new")
		return none
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := first.Rename(ctx, "old", "new", false); err == nil {
		t.Fatal("the rename was made")
	}
	p.spoilBy(nil)
	second := open(t, o)
	names := func() (all []string) {
		for i, err := range second.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, i.Name)
		}
		return all
	}
	if got := names(); !slices.Equal(got, []string{"new", "old"}) {
		t.Fatalf("in the middle there is %q", got)
	}
	if err := second.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{"new", "old"}) {
		t.Errorf("the rename of a node that is alive was ended: %q", got)
	}
	first.Close()
	if err := second.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{"new"}) {
		t.Errorf("after the sweep there is %q", got)
	}
	has(t, second, "new", []byte("text"))
}

// Attributes lie beside files whose names are of any length, and are found in a list.
func TestAttributesInLists(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	lib := open(t, g.options(t))
	var names []string
	for _, n := range []int{1, 2, 89, 90, 91, 92, 180, 181, 255} {
		names = append(names, strings.Repeat("n", n), strings.Repeat("n", n-1)+"-", strings.Repeat("n", n-1)+"~")
	}
	names = append(names, "a b+c%d", "é")
	when := time.Unix(1234567890, 0)
	for _, name := range names {
		put(t, lib, name, []byte(name))
		if _, err := lib.SetAttr(t.Context(), name, vfs.Attr{HasTimes: true, Atime: when, Mtime: when}); err != nil {
			t.Fatal(err)
		}
	}
	listed := 0
	for i, err := range lib.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
		if !i.ModTime.Equal(when) {
			t.Errorf("%d bytes, %q...: %v", len(i.Name), i.Name[:1], i.ModTime)
		}
	}
	slices.Sort(names)
	if want := len(slices.Compact(names)); listed != want {
		t.Errorf("%d files are listed, want %d", listed, want)
	}
	if err := lib.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if i, err := lib.Stat(t.Context(), name); err != nil || !i.ModTime.Equal(when) {
			t.Errorf("after a sweep: %v, %v", i.ModTime, err)
		}
	}
}

// The digest of a large file is computed while it is uploaded, and asked for it nothing
// is read but what OPEN reads; nor the second time if the file came from elsewhere, nor
// after a rename, on any node. A file that another program has changed has another one.
func TestDigestsAreRemembered(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	p := startProxy(t, g)
	o := g.options(t)
	first := open(t, o)
	o.Connection.Endpoint = p.url
	second := open(t, o)
	b := text(9, 20<<20)
	u := create(t, first, "uploaded", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
	write(t, u, 0, b)
	commit(t, u)
	other := func(b []byte) {
		t.Helper()
		key := o.Prefix + "/other"
		meta := map[string]string{"shelf-id": "the same"}
		_, err := g.client().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucketName), Key: &key, Body: bytes.NewReader(b), Metadata: meta,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	other(b)
	read := func(name string, a crypto.Hash, b []byte) int64 {
		t.Helper()
		f, err := second.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p.got.Store(0)
		d, _ := vfs.As[vfs.Digest](f)
		sum, err := d.Digest(t.Context(), a)
		h := a.New()
		h.Write(b)
		if want := h.Sum(nil); err != nil || !bytes.Equal(sum, want) {
			t.Errorf("%s: %x, %v; want %x", name, sum, err, want)
		}
		return p.got.Load()
	}
	// isKnown waits until so many digests lie there, and asks for one.
	isKnown := func(name string, lie int) {
		t.Helper()
		var all []string
		for range 500 {
			all, _ = filepath.Glob(filepath.Join(g.folder, bucketName, o.Prefix, ".shelf/sum/*"))
			if len(all) >= lie {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := read(name, crypto.SHA256, b); n > 1<<20 || len(all) != lie {
			t.Errorf("%s: %d bytes were read, and %d digests are known", name, n, len(all))
		}
	}
	isKnown("uploaded", 1)
	if read("other", crypto.SHA256, b) < int64(len(b)-1<<20) {
		t.Error("the digest was known before it was computed")
	}
	isKnown("other", 2)
	if read("uploaded", crypto.MD5, b) < int64(len(b)-1<<20) {
		t.Error("another digest was known before it was computed")
	}
	if _, err := first.Rename(t.Context(), "uploaded", "renamed", false); err != nil {
		t.Fatal(err)
	}
	isKnown("renamed", 4)
	b = text(10, 20<<20)
	other(b)
	read("other", crypto.SHA256, b)
}

// A small file that is new takes two calls, of which nobody waits for one; with a limit
// it takes more. One that is there after all keeps its mode, and Commit tells of it.
func TestSmallFilesTakeFewCalls(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	var calls []string
	up := func(name, text string) vfs.Change {
		t.Helper()
		u := create(t, lib, name, vfs.CreateOptions{Create: true, Truncate: true, Mode: 0o640, Owner: "ada"})
		write(t, u, 0, []byte(text))
		c, err := u.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	p.spoilBy(func(r *http.Request) fault { // it is asked one call at a time
		calls = append(calls, r.Method)
		return none
	})
	first := up("f", "first")
	p.spoilBy(nil)
	// Its mode is not the usual one, and lies beside it.
	if slices.Sort(calls); !slices.Equal(calls, []string{"GET", "PUT", "PUT"}) {
		t.Errorf("it took %q", calls)
	}
	if _, err := lib.SetAttr(t.Context(), "f", vfs.Attr{HasMode: true, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	before, err := lib.Stat(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	second := up("f", "second")
	if first.Replaced != (vfs.Info{}) || second.Replaced != before || second.After.Mode != 0o600 {
		t.Errorf("they were %+v and %+v, over %+v", first, second, before)
	}
	if now, err := lib.Stat(t.Context(), "f"); err != nil || now != second.After {
		t.Errorf("it is %+v, %v", now, err)
	}
	has(t, lib, "f", []byte("second"))
}
