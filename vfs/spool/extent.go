package spool

import (
	"iter"
	"slices"
	"sort"
)

// extent is the bytes from off up to, not including, end.
type extent struct{ off, end int64 }

// extents are the written bytes of a stage: sorted, apart, none empty.
type extents []extent

// add marks [off, end) as written, merging what touches.
func (x *extents) add(off, end int64) {
	if off >= end {
		return
	}
	s := *x
	// Clients write forward: the new bytes nearly always follow the last ones.
	if n := len(s); n > 0 && s[n-1].end == off {
		s[n-1].end = end
		return
	}
	first := sort.Search(len(s), func(i int) bool { return s[i].end >= off })
	past := first
	for past < len(s) && s[past].off <= end {
		off, end = min(off, s[past].off), max(end, s[past].end)
		past++
	}
	*x = slices.Replace(s, first, past, extent{off, end})
}

// truncate forgets all at and past size.
func (x *extents) truncate(size int64) {
	s := *x
	n := sort.Search(len(s), func(i int) bool { return s[i].end > size })
	if n < len(s) && s[n].off < size {
		s[n].end = size
		n++
	}
	*x = s[:n]
}

// prefix is how many bytes from the start are written without a gap.
func (x extents) prefix() int64 {
	if len(x) == 0 || x[0].off != 0 {
		return 0
	}
	return x[0].end
}

// spans yields [from, to) in pieces that are wholly written or wholly a hole.
func (x extents) spans(from, to int64) iter.Seq2[extent, bool] {
	return func(yield func(extent, bool) bool) {
		i := sort.Search(len(x), func(i int) bool { return x[i].end > from })
		for from < to {
			switch {
			case i == len(x) || x[i].off >= to:
				yield(extent{from, to}, false)
				return
			case x[i].off > from:
				if !yield(extent{from, x[i].off}, false) {
					return
				}
				from = x[i].off
			default:
				end := min(x[i].end, to)
				if !yield(extent{from, end}, true) {
					return
				}
				from = end
				i++
			}
		}
	}
}
