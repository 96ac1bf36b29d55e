package config

import "github.com/agnivade/levenshtein"

// Nearest is the name that may have been meant: by its sense, or else the one
// that takes the fewest edits. There is at least one name.
func Nearest(name string, names []string) string {
	best := names[0]
	for _, n := range names {
		if (name == "port" || name == "p") && n == "listen" {
			return n
		}
		if levenshtein.ComputeDistance(name, n) < levenshtein.ComputeDistance(name, best) {
			best = n
		}
	}
	return best
}
