package bucket_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/bucket"
)

// TestCheckNeedsAllBytes: of an upload that is judged nothing is left to the store alone,
// which would not give it back.
func TestCheckNeedsAllBytes(t *testing.T) {
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
	pass := func(context.Context, vfs.Staged) error { return nil }
	judged := vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada", Check: pass}

	u := create(t, lib, "f", judged)
	b, piece := text(6, 60<<20), 1<<20
	for off := 0; off < len(b) && err == nil; off += piece {
		_, err = u.WriteAt(b[off:off+piece], int64(off))
	}
	if !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("more than the spool has room for: %v", err)
	}
	u.Abort()

	// What was kept before there was a gate can't be judged. The client is told to begin
	// anew, and finds nothing to go on with.
	const cut = 20<<20 + 5
	u = create(t, lib, "f", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
	write(t, u, 0, text(7, cut))
	k, _ := vfs.As[vfs.Keeper](u)
	if err := k.Keep(); err != nil {
		t.Fatal(err)
	}
	partialOf(t, lib, cut)
	judged.Truncate = false
	if _, err := lib.Create(t.Context(), "f", judged); err == nil || !strings.Contains(err.Error(), "send the file again") {
		t.Errorf("going on with what can't be judged: %v", err)
	}
	if _, err := lib.Partial(t.Context(), "ada", "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	u = create(t, lib, "f", judged)
	write(t, u, 0, text(7, 20<<20))
	k, _ = vfs.As[vfs.Keeper](u)
	if err := k.Keep(); err != nil {
		t.Fatal(err)
	}
	if _, err := lib.Partial(t.Context(), "ada", "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a beginning that can't be judged later is kept: %v", err)
	}
	u = create(t, lib, "f", judged)
	write(t, u, 0, text(7, 20<<20))
	commit(t, u)
	has(t, lib, "f", text(7, 20<<20))
}
