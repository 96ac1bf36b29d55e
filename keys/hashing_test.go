package keys

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestPasswordsWaitForTheirTurn has the client leave while others are before it: then
// its password is not judged, and is no wrong one.
func TestPasswordsWaitForTheirTurn(t *testing.T) {
	hash, err := HashPassword("right")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	gone := errors.New("gone")
	w := newWorld(t, Options{
		Accounts: []Account{{Name: "ana", PasswordHash: hash}},
		Hashing: func(_ context.Context, source string) (func(), error) {
			sources = append(sources, source)
			if len(sources) == 1 {
				return nil, gone
			}
			return func() {}, nil
		},
	})
	if o := w.login(t, "192.0.2.7:1", "ana", ssh.Password("right")); o.err == nil {
		t.Error("it was judged without a turn")
	}
	if o := w.login(t, "192.0.2.7:1", "ana", ssh.Password("right")); o.err != nil {
		t.Error(o.err)
	}
	if len(sources) != 2 || sources[0] != "192.0.2.7/32" {
		t.Errorf("turns were taken for %v", sources)
	}
}
