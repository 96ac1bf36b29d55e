// Package arguments says what is wrong with the arguments of a command, so that
// all commands of shelfd say it alike.
package arguments

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Mistake is a mistake in the command line of a command.
type Mistake struct {
	Err     error
	Command *cobra.Command // whose help tells more
}

func (m Mistake) Error() string { return m.Err.Error() }

func (m Mistake) Unwrap() error { return m.Err }

// None refuses arguments of a command that takes none.
func None(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Mistake{fmt.Errorf("%s takes flags, and no argument such as %q", c.CommandPath(), args[0]), c}
}

// One refuses all but one argument; what says what it is.
func One(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return Mistake{fmt.Errorf("%s takes one argument, %s", c.CommandPath(), what), c}
	}
}
