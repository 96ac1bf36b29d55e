package connect

import (
	"errors"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is nobody: it prints nothing and answers nothing.
type silent struct{}

func (silent) Warnf(string, ...any)                     {}
func (silent) Notef(string, ...any)                     {}
func (silent) Detailf(string, ...any)                   {}
func (silent) Person() bool                             { return false }
func (silent) AskLine(string, ...any) (string, error)   { return "", errors.New("nobody") }
func (silent) AskSecret(string, ...any) (string, error) { return "", errors.New("nobody") }

// A server that asks without end is left.
func TestQuestionsWithoutEnd(t *testing.T) {
	t.Parallel()
	a := &auth{person: &person{UI: silent{}}}
	for range 1000 {
		if _, err := a.answer("name", "instruction", nil, nil); err != nil {
			return
		}
	}
	t.Error("it was answered a thousand times")
}
