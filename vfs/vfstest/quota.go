package vfstest

import (
	"errors"
	"testing"

	"shelf/vfs"
)

// block is what the smallest file counts, in bytes.
const block = 4 << 10

// TestQuota runs the suite for libraries with limits. open makes an empty Library that
// may hold so much, and that keeps one partial of an account, of any size.
func TestQuota(t *testing.T, open func(t *testing.T, limit vfs.UsageInfo) vfs.Library) {
	for _, part := range []struct {
		name  string
		limit vfs.UsageInfo
		run   func(suite)
	}{
		{"Quota", vfs.UsageInfo{Bytes: 100 * block}, testQuota},
		{"Gives back by name", vfs.UsageInfo{Bytes: 100 * block}, func(s suite) { testGivesBack(s, shrinkByName) }},
		{"Gives back by an upload", vfs.UsageInfo{Bytes: 100 * block}, func(s suite) { testGivesBack(s, shrinkByUpload) }},
		{"Gives back by a smaller one", vfs.UsageInfo{Bytes: 100 * block}, func(s suite) { testGivesBack(s, replaceBySmaller) }},
		{"Gives back while it shrinks", vfs.UsageInfo{Bytes: 100 * block}, func(s suite) { testGivesBack(s, shrinkTwice) }},
		{"Lends once", vfs.UsageInfo{Bytes: 100 * block}, testLendsOnce},
		{"Files", vfs.UsageInfo{Files: 3}, testMaxFiles},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(suite{t, open(t, part.limit)}) })
	}
}

var (
	makes = vfs.CreateOptions{Create: true, Owner: "ada"}
	over  = vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"}
)

// begun is an upload of so many bytes.
func (s suite) begun(name string, size int64, o vfs.CreateOptions) vfs.Upload {
	s.t.Helper()
	u := s.create(name, o)
	if size > 0 {
		_, err := u.WriteAt(make([]byte, size), 0)
		s.ok(err)
	}
	return u
}

func (s suite) puts(name string, size int64, o vfs.CreateOptions) {
	s.t.Helper()
	s.commit(s.begun(name, size, o))
}

// keeps leaves a partial.
func (s suite) keeps(name string, size int64) {
	s.t.Helper()
	k, ok := vfs.As[vfs.Keeper](s.begun(name, size, makes))
	if !ok {
		s.t.Skip("this store keeps no partials")
	}
	s.ok(k.Keep())
}

// isFull checks that there is no room for a file of that size.
func (s suite) isFull(size int64, what string) {
	s.t.Helper()
	u, err := s.Create(s.t.Context(), "one more", makes)
	if errors.Is(err, vfs.ErrNoSpace) {
		return // not even for an empty one
	}
	s.ok(err)
	defer u.Abort()
	if _, err := u.WriteAt(make([]byte, size), 0); !errors.Is(err, vfs.ErrNoSpace) {
		s.t.Fatalf("%s: %d more bytes: %v", what, size, err)
	}
	if _, err := u.Commit(s.t.Context()); !errors.Is(err, vfs.ErrNoSpace) {
		s.t.Fatalf("%s: Commit after that: %v", what, err)
	}
}

// testQuota: files, uploads and partials count, and what goes does not.
func testQuota(s suite) {
	s.puts("a", 40*block, makes)
	s.isFull(61*block, "after 40")
	s.puts("b", 60*block, makes)
	s.isFull(1, "after 100")
	s.ok(s.Remove(s.t.Context(), "b"))
	s.puts("b", 30*block, makes)
	s.puts("a", 30*block, over) // 40 + 30 + 30 at once
	s.isFull(41*block, "after a replacement")
	s.keeps("p", 40*block)
	s.isFull(1, "with a partial")
	s.puts("p", 40*block, vfs.CreateOptions{Owner: "ada"})
	s.isFull(1, "after it was gone on with")
	s.rename("a", "b", true)
	s.ok(s.begun("c", 30*block, makes).Abort())
	s.puts("c", 30*block, makes)
	s.isFull(1, "after a rename over a file")
	if lib, ok := vfs.As[vfs.Space](s.Library); ok {
		i, err := lib.Space(s.t.Context())
		if s.ok(err); i.Blocks*i.BlockSize < 100*block || i.Available != 0 {
			s.t.Errorf("it tells %+v", i)
		}
	}
}

func size(n int64) vfs.Attr { return vfs.Attr{HasSize: true, Size: n} }

func shrinkByName(s suite) error {
	_, err := s.SetAttr(s.t.Context(), "f", size(10*block))
	return err
}

func shrinkByUpload(s suite) error {
	u := s.create("f", vfs.CreateOptions{})
	err := u.SetAttr(size(10 * block))
	s.commit(u)
	return err
}

func replaceBySmaller(s suite) error {
	u := s.create("f", over)
	err := u.SetAttr(size(10 * block))
	s.commit(u)
	return err
}

func shrinkTwice(s suite) error {
	u := s.create("f", vfs.CreateOptions{})
	err := errors.Join(u.SetAttr(size(99*block)), u.SetAttr(size(10*block)))
	s.commit(u)
	return err
}

// testGivesBack: a file can be made smaller when the quota is used up, and what that
// frees can be used.
func testGivesBack(s suite, shrink func(suite) error) {
	s.puts("f", 99*block, makes)
	if _, err := s.SetAttr(s.t.Context(), "f", size(101*block)); !errors.Is(err, vfs.ErrNoSpace) {
		s.t.Error("it was made larger than the quota:", err)
	}
	s.ok(shrink(s))
	s.puts("g", 90*block, makes)
	s.isFull(1, "after what was freed was used")
}

// testLendsOnce: of many uploads that would replace one file only the first may use
// what that takes. When the file has gone meanwhile, and others have used what it
// took, it is refused at the end.
func testLendsOnce(s suite) {
	s.puts("f", 90*block, makes)
	first := s.create("f", over)
	defer first.Abort()
	s.ok(first.SetAttr(size(90 * block)))
	second, err := s.Create(s.t.Context(), "f", over)
	s.ok(err)
	defer second.Abort()
	if err := second.SetAttr(size(11 * block)); !errors.Is(err, vfs.ErrNoSpace) {
		s.t.Error("both use it:", err)
	}
	s.ok(second.Abort())
	s.ok(s.Remove(s.t.Context(), "f"))
	s.puts("g", 90*block, makes)
	if _, err := first.Commit(s.t.Context()); !errors.Is(err, vfs.ErrNoSpace) {
		s.t.Error("the quota is exceeded:", err)
	}
}

// testMaxFiles: a library has so many files and no more, with uploads under way and
// partials in the count.
func testMaxFiles(s suite) {
	full := func(what string) {
		s.t.Helper()
		if _, err := s.Create(s.t.Context(), "one more", makes); !errors.Is(err, vfs.ErrNoSpace) {
			s.t.Errorf("%s: %v", what, err)
		}
	}
	s.puts("a", 0, makes)
	s.keeps("b", 1)
	u := s.create("c", makes)
	full("a file, a partial and an upload")
	s.puts("a", 5, over) // replacing is none more
	s.ok(u.Abort())
	s.keeps("c", 1) // and drops the partial of b
	s.puts("d", 0, makes)
	full("two files and a partial")
	s.puts("c", 1, vfs.CreateOptions{Owner: "ada"}) // resumed
	full("three files")
	s.rename("a", "c", true)
	s.puts("e", 0, makes)
	full("after a rename over a file")
	if lib, ok := vfs.As[vfs.Space](s.Library); ok {
		if i, err := lib.Space(s.t.Context()); err != nil || i.Files != 3 || i.FreeFiles != 0 {
			s.t.Errorf("it tells %+v, %v", i, err)
		}
	}
}
