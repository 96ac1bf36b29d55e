package access_test

import (
	"slices"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
)

// Each operation of events has a rule that can be told.
func TestRuleOf(t *testing.T) {
	for _, test := range []struct {
		op     string
		exists bool
		needs  string
		allows vfs.Permissions
	}{
		{"list", false, "list", vfs.Permissions{List: true}},
		{"get", true, "read", vfs.Permissions{Read: true}},
		{"digest", true, "read", vfs.Permissions{Read: true}},
		{"put", false, "write", vfs.Permissions{Write: true}},
		{"put", true, "overwrite", vfs.Permissions{Overwrite: true}},
		{"rename", false, "rename", vfs.Permissions{Rename: true}},
		{"remove", true, "delete", vfs.Permissions{Delete: true}},
		{"setstat", true, "overwrite", vfs.Permissions{Overwrite: true}},
	} {
		r, ok := access.RuleOf(test.op, test.exists)
		if !ok || !slices.Equal(r.Needs, []string{test.needs}) || !r.Allows(test.allows) || r.Allows(vfs.Permissions{}) || r.Refusal == "" {
			t.Errorf("%s: %v %+v", test.op, ok, r)
		}
	}
	if _, ok := access.RuleOf("stat", false); ok {
		t.Error("stat has no event")
	}
}
