//go:build !linux

package scanner

import (
	"errors"
	"log/slog"

	"shelf/vfs/gate"
)

// Start is not needed here: there is no sandbox, and the server asks scanners itself.
func Start([]gate.Address, *slog.Logger) (*Process, error) {
	return nil, errors.New("this system has no such process")
}
