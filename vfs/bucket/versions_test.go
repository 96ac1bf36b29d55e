package bucket_test

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"shelf/vfs"
	"shelf/vfs/bucket"
)

// startVersioned starts a store that keeps versions, and has the options of a library that
// offers them.
func startVersioned(t *testing.T) (*gateway, bucket.Options) {
	t.Helper()
	g := startGateway(t, true)
	g.version(t)
	o := g.options(t)
	o.Allow = []string{"put-if-absent-after-delete"} // a known fault of this store
	o.Versions.PerName = 2
	return g, o
}

// historyOf is what a library offers of old versions.
func historyOf(t *testing.T, lib vfs.Library) vfs.History {
	t.Helper()
	h, ok := vfs.As[vfs.History](lib)
	if !ok {
		t.Fatal("it offers no versions")
	}
	return h
}

// sizes checks which versions there are of a name, by their sizes, the newest first.
func sizes(t *testing.T, lib vfs.Library, name string, want ...int64) []vfs.OldVersion {
	t.Helper()
	all, err := historyOf(t, lib).Versions(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, v := range all {
		got = append(got, v.Size)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("versions of %s have %d bytes, want %d", name, got, want)
	}
	return all
}

func sweep(t *testing.T, lib *bucket.Bucket) {
	t.Helper()
	if err := lib.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func setTimes(t *testing.T, lib vfs.Library, name string, at int64) {
	t.Helper()
	a := vfs.Attr{HasTimes: true, Mtime: time.Unix(at, 0), Atime: time.Unix(at, 0), HasMode: true, Mode: 0o640}
	if _, err := lib.SetAttr(t.Context(), name, a); err != nil {
		t.Fatal(err)
	}
}

// lieUnder counts what lies below a hidden key.
func (g *gateway) lieUnder(t *testing.T, o bucket.Options, key string) int {
	t.Helper()
	prefix := o.Prefix + "/.shelf/" + key + "/"
	all, err := g.client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucketName), Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	return len(all.Contents)
}

// A sweep removes what is too much of a name, and what is too old, with what lay beside it;
// never what the name stands for. With a hold nothing goes.
func TestSweepVersions(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	lib := open(t, o)
	lib.PerPage(3)
	for n := range 5 {
		put(t, lib, "f", text(1, n+1))
		setTimes(t, lib, "f", 1e9+int64(n))
	}
	put(t, lib, "removed", text(1, 7))
	for n := range 4 {
		if err := lib.Remove(t.Context(), "removed"); err != nil {
			t.Fatal(err)
		}
		if n < 3 {
			put(t, lib, "removed", text(1, 8+n))
		}
	}
	put(t, lib, "once", text(1, 9))
	sizes(t, lib, "f", 4, 3, 2, 1)

	held := o
	held.Hold = vfs.Hold{Always: true}
	sweep(t, open(t, held))
	sizes(t, lib, "f", 4, 3, 2, 1)

	sweep(t, lib)
	for i, v := range sizes(t, lib, "f", 4, 3) {
		if want := time.Unix(1e9+3-int64(i), 0); !v.ModTime.Equal(want) {
			t.Errorf("version %d was last modified %v, want %v", i, v.ModTime, want)
		}
	}
	has(t, lib, "f", text(1, 5))
	has(t, lib, "once", text(1, 9))
	sizes(t, lib, "removed", 10, 9)
	if _, err := lib.Stat(t.Context(), "removed"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was removed: %v", err)
	}
	const was, marker = 2, "removed"
	if n := g.lieUnder(t, o, "was"); n != was {
		t.Errorf("beside old versions lie %d objects", n)
	}

	o.Versions = bucket.VersionRules{PerName: 100, MaxAge: time.Nanosecond}
	time.Sleep(2 * time.Second) // more than the store's times are rounded by
	sweep(t, open(t, o))
	sizes(t, lib, "f")
	sizes(t, lib, marker)
	has(t, lib, "f", text(1, 5))
	if _, err := lib.Stat(t.Context(), marker); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was removed: %v", err)
	}
	if n := g.lieUnder(t, o, "was"); n > 0 {
		t.Errorf("beside old versions that are gone lie %d objects", n)
	}
	names := markersOf(t, g, o)
	if names[marker] != 1 || names["f"] != 0 {
		t.Errorf("there are these markers: %v", names)
	}
}

// A sweep that has nothing to do leaves nothing in the bucket.
func TestSweepLeavesNothing(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	lib := open(t, o)
	before := markersOf(t, g, o)
	sweep(t, lib)
	if after := markersOf(t, g, o); !maps.Equal(before, after) {
		t.Errorf("there were the markers %v, and are %v", before, after)
	}
	if n := g.lieUnder(t, o, "probe"); n > 0 {
		t.Errorf("%d objects are left", n)
	}
}

// markersOf counts the delete markers of names.
func markersOf(t *testing.T, g *gateway, o bucket.Options) map[string]int {
	t.Helper()
	all, err := g.client().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(bucketName), Prefix: aws.String(o.Prefix + "/")})
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]int)
	for _, m := range all.DeleteMarkers {
		names[strings.TrimPrefix(*m.Key, o.Prefix+"/")]++
	}
	return names
}

// A large version is copied in the store, and comes back with the mode and times that it had,
// whether these were there when it was published or set later; and over another file.
func TestRestoreLarge(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	large := text(2, 20<<20)
	put(t, lib, "f", large)
	setTimes(t, lib, "f", 1e9)
	put(t, lib, "f", []byte("small"))
	if err := lib.Remove(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	all := sizes(t, lib, "f", 5, 20<<20)
	p.sent.Store(0)
	p.got.Store(0)
	c, err := historyOf(t, lib).Restore(t.Context(), "f", all[1].ID, false)
	if err != nil {
		t.Fatal(err)
	}
	if sent, got := p.sent.Load(), p.got.Load(); sent > 1<<20 || got > 2<<20 {
		t.Errorf("%d bytes were sent and %d read", sent, got)
	}
	has(t, lib, "f", large)
	if now, err := lib.Stat(t.Context(), "f"); err != nil || now != c.After || now.Mode != 0o640 || !now.ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("it is %+v, %v; Restore said %+v", now, err, c)
	}
	if n := g.lieUnder(t, o, "was"); n != 1 { // of the small one
		t.Errorf("beside old versions lie %d objects", n)
	}
	if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[0].ID, true); err != nil {
		t.Fatal(err)
	}
	has(t, lib, "f", []byte("small"))
	sizes(t, lib, "f", 20<<20)
}

// A version comes back with its mode and times also if who has replaced it was killed before
// it could move what lay beside it.
func TestRestoreAfterACrash(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	p := startProxy(t, g)
	first := open(t, o)
	o.Connection.Endpoint = p.url
	second := open(t, o)
	put(t, first, "f", []byte("first"))
	setTimes(t, first, "f", 1e9)
	p.spoilBy(func(r *http.Request) fault {
		if strings.Contains(r.URL.Path, "/.shelf/was/") {
			return forbidden
		}
		return none
	})
	put(t, second, "f", []byte("the second"))
	all := sizes(t, first, "f", 5)
	if _, err := historyOf(t, first).Restore(t.Context(), "f", all[0].ID, true); err != nil {
		t.Fatal(err)
	}
	if now, err := first.Stat(t.Context(), "f"); err != nil || now.Mode != 0o640 || !now.ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("it is %+v, %v", now, err)
	}
	sweep(t, first)
	if n := g.lieUnder(t, o, "was"); n != 1 { // of the second
		t.Errorf("beside old versions lie %d objects", n)
	}
}

// If the store fails in the middle of a restore, the version is there as it was, or as the
// file too.
func TestRestoreOverAFaultyStore(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	put(t, lib, "f", []byte("first"))
	put(t, lib, "f", []byte("the second"))
	all := sizes(t, lib, "f", 5)
	isFile := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/f") }
	p.spoilBy(func(r *http.Request) fault {
		if isFile(r) && r.Method == http.MethodDelete {
			return unavailable
		}
		return none
	})
	if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[0].ID, true); err != nil {
		t.Fatal(err)
	}
	p.spoilBy(nil)
	has(t, lib, "f", []byte("first"))
	sizes(t, lib, "f", 10, 5)
	for _, f := range []fault{unavailable, broken, cutBefore, cutAfter} {
		all = sizes(t, lib, "f", 10, 5)
		if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[0].ID, true); err != nil {
			t.Fatal(err)
		}
		all = sizes(t, lib, "f", 5, 5)
		p.spoilNext(1, f, func(r *http.Request) bool { return isFile(r) && r.Method == http.MethodPut })
		if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[1].ID, true); err != nil {
			t.Fatalf("fault %d: %v", f, err)
		}
		has(t, lib, "f", []byte("first"))
	}
}

// If rules of the bucket have removed all versions of a name, what lay beside them goes, too,
// when that was long ago.
func TestSweepWhatLayBesideVersions(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	lib := open(t, o)
	replaced := func(name string) {
		put(t, lib, name, []byte("first"))
		setTimes(t, lib, name, 1e9)
		put(t, lib, name, []byte("second"))
	}
	for _, name := range []string{"a", "b", "c"} {
		replaced(name)
	}
	eraseAll := func(name string) {
		t.Helper()
		for _, v := range sizes(t, lib, name, 5) {
			key := o.Prefix + "/" + name
			if _, err := g.client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucketName), Key: &key, VersionId: &v.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	eraseAll("a")
	eraseAll("c")
	g.age(t, o.Prefix+"/.shelf/was")
	replaced("young")
	eraseAll("young")
	sweep(t, lib)
	const left = 2 // of b, and of young
	if n := g.lieUnder(t, o, "was"); n != left {
		t.Errorf("beside old versions lie %d objects", n)
	}
	if all := sizes(t, lib, "b", 5); !all[0].ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("it was last modified %v", all[0].ModTime)
	}
}

// A version that the store does not let go, as by object lock, keeps no other of the name and
// none of another.
func TestLockedVersions(t *testing.T) {
	t.Parallel()
	g, o := startVersioned(t)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	for _, name := range []string{"f", "g"} {
		for n := range 5 {
			put(t, lib, name, text(1, n+1))
		}
	}
	locked := sizes(t, lib, "f", 4, 3, 2, 1)[2]
	p.spoilBy(func(r *http.Request) fault {
		if r.Method == http.MethodDelete && r.URL.Query().Get("versionId") == locked.ID {
			return forbidden
		}
		return none
	})
	if err := lib.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "remove old versions") {
		t.Errorf("the sweep ended with %v", err)
	}
	sizes(t, lib, "f", 4, 3, 2)
	sizes(t, lib, "g", 4, 3)
}

// If the versioning of the bucket is turned off while it is served, nothing is lost that it
// has, and who looks after it is told.
func TestVersioningIsTurnedOff(t *testing.T) {
	t.Parallel()
	g := startGateway(t, true)
	o := g.options(t)
	o.Allow = []string{"put-if-absent-after-delete"}
	put(t, open(t, o), "f", []byte("early"))
	g.version(t)
	o.Versions.PerName = 1
	lib := open(t, o)
	put(t, lib, "f", []byte("the second"))
	put(t, lib, "f", []byte("the third one"))
	early := sizes(t, lib, "f", 10, 5)[1]
	g.suspend(t)
	if err := lib.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "turn its versioning on") {
		t.Errorf("the sweep ended with %v", err)
	}
	sizes(t, lib, "f", 10, 5)
	if _, err := historyOf(t, lib).Restore(t.Context(), "f", early.ID, true); err != nil {
		t.Fatal(err)
	}
	has(t, lib, "f", []byte("early"))
	all, err := g.client().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(bucketName), Prefix: aws.String(o.Prefix + "/f")})
	if err != nil || len(all.Versions) != 3 {
		t.Errorf("there are %d versions, %v", len(all.Versions), err)
	}
}

// suspend has the bucket keep versions no more.
func (g *gateway) suspend(t *testing.T) {
	t.Helper()
	_, err := g.client().PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(bucketName), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What other programs have put there is kept and comes back, too, also from before the bucket
// kept versions; and what lies beside a version that they have replaced goes with it.
func TestVersionsOfOtherPrograms(t *testing.T) {
	t.Parallel()
	g := startGateway(t, true)
	o := g.options(t)
	o.Allow = []string{"put-if-absent-after-delete"}
	other := func(name, text string) {
		t.Helper()
		_, err := g.client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: aws.String(o.Prefix + "/" + name), Body: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
	}
	other("f", "early")
	g.version(t)
	o.Versions.PerName = 10
	lib := open(t, o)
	other("f", "of another")
	put(t, lib, "f", []byte("ours"))
	setTimes(t, lib, "f", 1e9)
	other("f", "of another again")
	if all := sizes(t, lib, "f", 4, 10, 5); !all[0].ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("before it is swept it was last modified %v", all[0].ModTime)
	}
	sweep(t, lib)
	all := sizes(t, lib, "f", 4, 10, 5)
	if !all[0].ModTime.Equal(time.Unix(1e9, 0)) {
		t.Errorf("it was last modified %v", all[0].ModTime)
	}
	for i, want := range []string{"ours", "of another", "early"} {
		if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[i].ID, true); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		has(t, lib, "f", []byte(want))
	}
}

// A version that is restored counts as a file again: it has to fit. Nothing is lost if it
// does not.
func TestRestoreWithinTheQuota(t *testing.T) {
	t.Parallel()
	_, o := startVersioned(t)
	o.Quota = 3 << 20
	lib := open(t, o)
	put(t, lib, "f", text(3, 2<<20))
	if err := lib.Remove(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	put(t, lib, "g", text(4, 2<<20))
	all := sizes(t, lib, "f", 2<<20)
	if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[0].ID, true); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("what does not fit is restored: %v", err)
	}
	sizes(t, lib, "f", 2<<20)
	if err := lib.Remove(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if _, err := historyOf(t, lib).Restore(t.Context(), "f", all[0].ID, true); err != nil {
		t.Fatal(err)
	}
	if _, ok := vfs.As[vfs.Space](lib); !ok {
		t.Error("a library with versions does not tell what its limits leave")
	}
	if held, ok := lib.Charged(); !ok || held.Bytes != 2<<20 || held.Files != 1 {
		t.Errorf("charged are %+v", held)
	}
}

// Versions are offered where they are asked for, and where the bucket keeps them.
func TestVersionsNeedABucketThatKeepsThem(t *testing.T) {
	t.Parallel()
	plain, versioned := startGateway(t, false), startGateway(t, true)
	versioned.version(t)
	o := plain.options(t)
	o.Versions.PerName = 1
	if _, err := bucket.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "turn its versioning on") {
		t.Errorf("of a bucket without versions: %v", err)
	}
	o = versioned.options(t)
	o.Allow = []string{"put-if-absent-after-delete"}
	found, err := bucket.Probe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if strings.Contains(f.Name, "version") && !f.Holds {
			t.Errorf("%s: %s", f.Name, f.Answer)
		}
	}
	lib := open(t, o)
	if _, ok := vfs.As[vfs.History](vfs.Library(lib)); ok || lib.Properties().KeepsVersions {
		t.Error("versions are offered though nobody has asked for them")
	}
	put(t, lib, "f", []byte("first"))
	put(t, lib, "f", []byte("second"))
	sweep(t, lib)
	o.Versions.PerName = 1
	sizes(t, open(t, o), "f", 5)

	// A store that does not tell or remove them is refused.
	i := slices.IndexFunc(found, func(f bucket.Finding) bool { return f.Name == "list-versions" })
	found[i].Holds = false
	if err := o.Judge(found); err == nil || !strings.Contains(err.Error(), "DeleteObjectVersion") {
		t.Errorf("of a store that does not tell versions: %v", err)
	}
	o.Versions.PerName = 0
	if err := o.Judge(found); err != nil {
		t.Errorf("without versions: %v", err)
	}
}
