package connect

import (
	"context"
	"errors"
)

// UI is how the package talks to the person at the program. It makes what it
// prints safe for a terminal.
type UI interface {
	Warnf(format string, args ...any)   // what went wrong
	Notef(format string, args ...any)   // what the person should know
	Detailf(format string, args ...any) // how it is done, if that is asked for

	// Person tells whether there is somebody to ask.
	Person() bool

	// AskLine and AskSecret ask; after Ctrl-C the error is [context.Canceled].
	AskLine(format string, args ...any) (string, error)
	AskSecret(format string, args ...any) (string, error)
}

// errNobody means that there is nobody to ask.
var errNobody = errors.New("there is no terminal to ask at")

// person is who is asked during a login.
type person struct {
	UI
	pause   func() (resume func()) // stops the clock of the login
	stopped error                  // set after Ctrl-C
}

// ask asks for a line, or for a secret. The clock stands still meanwhile.
func (p *person) ask(secret bool, format string, args ...any) (string, error) {
	defer p.pause()()
	ask := p.AskLine
	if secret {
		ask = p.AskSecret
	}
	answer, err := ask(format, args...)
	if errors.Is(err, context.Canceled) {
		p.stopped = err
	}
	return answer, err
}
