package access

import "shelf/vfs"

// Rule is what the policy says of an operation, for who asks.
type Rule struct {
	Needs   []string // permissions, by their names in the configuration: one is enough; none is that anyone may
	Excuses []string // in words: one of these is enough, too
	Refusal string   // what is said to who has none of these
	Changes bool     // a hold of the library forbids it

	needs permissions
}

// RuleOf is the rule of an operation, by its name in events. exists tells of an
// upload, and of the new name of a rename, that a file has the name.
func RuleOf(op string, exists bool) (_ Rule, ok bool) {
	if op == policy[toCreate].name && exists {
		return toReplace.rule(), true
	}
	if op == policy[toRestore].name && exists {
		return toRestoreOver.rule(), true
	}
	for a, r := range policy {
		if r.event && r.name == op {
			return action(a).rule(), true
		}
	}
	return Rule{}, false
}

// Replacing is the rule of a rename to a name that a file has.
func Replacing() Rule { return toReplace.rule() }

// Allows tells whether an account with these permissions may do it.
func (r Rule) Allows(p vfs.Permissions) bool {
	return r.needs == 0 || permissionsOf(p)&r.needs != 0
}

func (a action) rule() Rule {
	r := policy[a]
	out := Rule{Refusal: r.refusal, Changes: r.changes, needs: r.needs}
	for _, one := range []struct {
		bit  permissions
		word string
	}{{mayList, "list"}, {mayRead, "read"}, {mayWrite, "write"}, {mayOverwrite, "overwrite"}, {mayRename, "rename"}, {mayDelete, "delete"}, {mayRestore, "restore"}} {
		if r.needs&one.bit != 0 {
			out.Needs = append(out.Needs, one.word)
		}
	}
	for _, one := range []struct {
		bit  excuse
		word string
	}{
		{own, "a file that the same session has uploaded"}, {pending, "a file that the same session uploads now"},
		{unpublished, "a file that the same session uploads now"}, {resumable, "what it can resume"}, {private, "its own temporary file"}, {uploaded, "what the account has uploaded"},
	} {
		if r.excuses&one.bit != 0 {
			out.Excuses = append(out.Excuses, one.word)
		}
	}
	return out
}
