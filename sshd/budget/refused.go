package budget

import "fmt"

// Refused is that there is no more of something. Its text is for the person at the
// client, and names the setting for the operator.
type Refused struct {
	Kind    Kind
	Limit   int64
	Setting string
	one     bool // the account has all that one may have
}

func (r *Refused) Error() string {
	whose, hint := "the server", "; try again later"
	if r.one {
		whose, hint = "one account", ""
	}
	if r.Kind == Memory {
		return fmt.Sprintf("too much at a time: %s may keep %d bytes in memory (%s)%s", whose, r.Limit, r.Setting, hint)
	}
	return fmt.Sprintf("too many %s: %s may have %d at a time (%s)%s", r.Kind, whose, r.Limit, r.Setting, hint)
}

func (k Kind) String() string {
	return [kinds]string{"connections", "channels", "open files", "bytes"}[k]
}
