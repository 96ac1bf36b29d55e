package history

import "time"

// Rules says which versions may stay.
type Rules struct {
	PerName int           // the oldest goes first
	MaxAge  time.Duration // since it was replaced or removed; 0 is no limit
}

// Beyond is what of a name may stay no longer: versions, and markers that no version is older
// than which stays. What the name stands for now is never in it. So nothing that goes makes
// the name stand for something else.
func (r Rules) Beyond(n Name, now time.Time) (gone []Entry) {
	if n.Now == nil {
		return nil // any of them may be what it stands for
	}
	var oldest time.Time // of what stays
	for i, v := range n.Old {
		if i >= r.PerName || r.MaxAge > 0 && now.Sub(v.Kept) > r.MaxAge {
			gone = append(gone, v.Entry)
		} else {
			oldest = v.Made
		}
	}
	for _, m := range n.Markers {
		if oldest.IsZero() || m.Made.Before(oldest) {
			gone = append(gone, m)
		}
	}
	return gone
}
