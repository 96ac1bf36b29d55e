package deliver

import (
	"slices"

	"shelf/cmd/shelfd/audit"
)

// filter says which events a receiver wants. An empty list is all there are.
type filter struct {
	ops, libraries, accounts, results []string
}

func (f filter) wants(l audit.Line) bool {
	has := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	return !aboutItself(l.Op) && has(f.ops, l.Op) && has(f.libraries, l.Library) && has(f.accounts, l.Account) && has(f.results, l.Result)
}
