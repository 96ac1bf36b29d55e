package budget

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func limits(account, all int64, several bool) Limits {
	l := Limits{Several: several}
	for k := range l.Of {
		l.Of[k] = Limit{Account: account, All: all, Setting: "of_one", AllSetting: "of_all"}
	}
	return l
}

func enter(t *testing.T, b *Budget, account string) *Share {
	t.Helper()
	s, err := b.Enter(account, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refusedBy is the setting that a refusal names.
func refusedBy(err error) string {
	if r := (*Refused)(nil); errors.As(err, &r) && strings.Contains(err.Error(), "("+r.Setting+")") {
		return r.Setting
	}
	return ""
}

// TestAnAccountHasOneBudget has two connections of one account take what one of
// them alone could.
func TestAnAccountHasOneBudget(t *testing.T) {
	b := New(limits(10, 100, true))
	one, other, bob := enter(t, b, "ann"), enter(t, b, "ann"), enter(t, b, "bob")
	if err := errors.Join(one.Take(Memory, 6), other.Take(Memory, 4)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Share{one, other} {
		if err := s.Take(Memory, 1); refusedBy(err) != "of_one" {
			t.Errorf("more than the account may have: %v", err)
		}
	}
	if got := other.Some(Memory, 5); got != 0 {
		t.Errorf("it got %d more", got)
	}
	if err := errors.Join(one.Take(Channels, 10), bob.Take(Memory, 10)); err != nil {
		t.Errorf("what nobody has taken: %v", err)
	}
	one.Give(Memory, 2)
	if got := other.Some(Memory, 5); got != 2 {
		t.Errorf("after 2 came back it got %d", got)
	}
	one.Leave()
	one.Leave()
	if got := other.Some(Memory, 9); got != 4 {
		t.Errorf("after the other connection was gone it got %d, want its 4", got)
	}
}

// TestTooMuchIsNeverLittle asks for so much that a sum overflows, while the account
// has something already.
func TestTooMuchIsNeverLittle(t *testing.T) {
	b := New(limits(10, 100, true))
	one, other := enter(t, b, "ann"), enter(t, b, "ann")
	if err := errors.Join(one.Take(Memory, 5), other.Take(Memory, 5)); err != nil {
		t.Fatal(err)
	}
	if err := one.Take(Memory, math.MaxInt64-3); refusedBy(err) == "" || b.Used(Memory) != 10 {
		t.Errorf("it got that (%v); %d bytes are taken of all", err, b.Used(Memory))
	}
}

// TestWhoHasLeftTakesNothing has a goroutine of a connection come late.
func TestWhoHasLeftTakesNothing(t *testing.T) {
	b := New(limits(10, 10, false))
	s := enter(t, b, "ann")
	s.Leave()
	if s.Take(Memory, 1) == nil || s.Some(Memory, 1) != 0 {
		t.Error("it took something that nobody gives back")
	}
	s.Give(Memory, 5)
	if b.used != (amount{}) || len(b.accounts) != 0 {
		t.Errorf("left over: %v, %v", b.used, b.accounts)
	}
}

// TestNobodyTakesTheLastQuarter has an account take all that it can.
func TestNobodyTakesTheLastQuarter(t *testing.T) {
	b := New(limits(1000, 40, true))
	ann := enter(t, b, "ann")
	if got := ann.Some(OpenFiles, 1000); got != 30 {
		t.Errorf("one of several got %d of 40", got)
	}
	bob := enter(t, b, "bob")
	if err := bob.Take(OpenFiles, 10); err != nil {
		t.Error(err)
	}
	if err := bob.Take(OpenFiles, 1); refusedBy(err) != "of_all" {
		t.Errorf("more than there is: %v", err)
	}
	b.Change(limits(1000, 40, false))
	bob.Leave()
	if got := ann.Some(OpenFiles, 1000); got != 10 {
		t.Errorf("the only account got %d of the last 10", got)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	b := New(limits(3, 4, false))
	for range 2 {
		enter(t, b, "ann")
	}
	if _, err := b.Enter("ann", 2); err == nil || !strings.Contains(err.Error(), "may have 2 ") {
		t.Errorf("more than the account's own limit: %v", err)
	}
	enter(t, b, "ann")
	if _, err := b.Enter("ann", 0); refusedBy(err) != "of_one" {
		t.Errorf("a fourth: %v", err)
	}
	enter(t, b, "bob")
	if _, err := b.Enter("bob", 0); refusedBy(err) != "of_all" {
		t.Errorf("a fifth of all: %v", err)
	}
}

func TestANilShareHasNoLimit(t *testing.T) {
	var s *Share
	if s.Take(Memory, 1<<40) != nil || s.Some(Memory, 7) != 7 {
		t.Error("it refuses")
	}
	s.Give(Memory, 1)
	s.Leave()
}
