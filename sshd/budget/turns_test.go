package budget

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestTurnsAreFairToNames has many of one name wait, and then a single one of
// another: it is called second.
func TestTurnsAreFairToNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		end, err := turns.Take(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		wait := func(name string) {
			go func() {
				end, err := turns.Take(t.Context(), name)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, name)
				end()
			}()
			synctest.Wait()
		}
		for range 50 {
			wait("ann")
		}
		wait("bob")
		end()
		synctest.Wait()
		if len(order) != 51 || order[1] != "bob" {
			t.Errorf("called: %v", order)
		}
		if len(turns.waiting) != 0 || len(turns.next) != 0 || turns.free != 1 {
			t.Errorf("left over: %+v", turns)
		}
	})
}

// TestWhoIsGoneWaitsNoMore has the client of one that waits leave.
func TestWhoIsGoneWaitsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		end, _ := turns.Take(t.Context(), "ann")
		ctx, leave := context.WithCancel(t.Context())
		var left error
		go func() { _, left = turns.Take(ctx, "ann") }()
		synctest.Wait()
		leave()
		synctest.Wait()
		if !errors.Is(left, context.Canceled) {
			t.Errorf("it waits on: %v", left)
		}
		end()
		if end, err := turns.Take(t.Context(), "bob"); err != nil {
			t.Error(err)
		} else {
			end()
		}
		if _, err := turns.Take(ctx, "ann"); err == nil {
			t.Error("one that is gone gets a turn")
		}
	})
}
