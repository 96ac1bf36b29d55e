package library

import (
	"path/filepath"
	"strings"
)

// Within tells whether a path may lie in a folder, or be that folder. In both an
// element with %u stands for any name.
func Within(folder, path string) bool {
	outer, inner := elements(folder), elements(path)
	if len(outer) > len(inner) {
		return false
	}
	for i, element := range outer {
		if element != inner[i] && !strings.Contains(element, userToken) && !strings.Contains(inner[i], userToken) {
			return false
		}
	}
	return true
}

// matches tells whether a path is what a path with %u may stand for.
func matches(pattern, path string) bool {
	return len(elements(pattern)) == len(elements(path)) && Within(pattern, path)
}

func elements(path string) []string {
	return strings.FieldsFunc(filepath.Clean(path), func(r rune) bool { return r == filepath.Separator })
}
