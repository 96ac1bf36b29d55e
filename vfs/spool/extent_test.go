package spool

import "testing"

// FuzzExtents compares extents with one flag a byte: each three bytes of the
// input are an operation.
func FuzzExtents(f *testing.F) {
	f.Add([]byte{0, 0, 4, 0, 8, 4, 0, 4, 4, 1, 6, 0, 0, 2, 9})
	f.Add([]byte{0, 10, 5, 0, 20, 5, 0, 12, 10, 1, 22, 0, 0, 30, 1, 1, 12, 0})
	f.Add([]byte{0, 0, 9, 1, 0, 0, 0, 3, 3, 1, 5, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		const size = 512
		var x extents
		var model [size]bool
		for ; len(ops) >= 3; ops = ops[3:] {
			off, end := int64(ops[1]), int64(ops[1])+int64(ops[2])
			if ops[0]%4 == 1 {
				x.truncate(off)
				clear(model[off:])
				continue
			}
			x.add(off, end)
			for i := off; i < end; i++ {
				model[i] = true
			}
		}
		checkExtents(t, x, model[:])
	})
}

func checkExtents(t *testing.T, x extents, model []bool) {
	t.Helper()
	last := int64(-1)
	for _, e := range x {
		if e.off <= last || e.end <= e.off {
			t.Fatalf("not sorted, apart and non-empty: %v", x)
		}
		last = e.end
	}
	at := int64(0)
	for span, written := range x.spans(0, int64(len(model))) {
		if span.off != at || span.end <= span.off {
			t.Fatalf("spans have a gap or overlap at %d: %v", at, span)
		}
		at = span.end
		for i := span.off; i < span.end; i++ {
			if model[i] != written {
				t.Fatalf("byte %d: written is %v, want %v", i, written, model[i])
			}
		}
	}
	if at != int64(len(model)) {
		t.Fatalf("spans end at %d", at)
	}
	prefix := int64(0)
	for prefix < int64(len(model)) && model[prefix] {
		prefix++
	}
	if got := x.prefix(); got != prefix {
		t.Fatalf("prefix %d, want %d", got, prefix)
	}
}
