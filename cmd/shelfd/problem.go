package main

import (
	"fmt"

	"shelf/cmd/shelfd/config"
)

// problem is why the server does not start: what could not be done, why, and
// what to do about it.
type problem struct {
	where  string // in the configuration file, from Settings.Where; or ""
	what   string
	err    error
	remedy string
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s%s: %v\n  %s", p.where, p.what, p.err, p.remedy)
}

func (p *problem) Unwrap() error { return p.err }

// needsRestart refuses a change while the server runs.
func needsRestart(next config.Settings, setting, change string) error {
	return fmt.Errorf("%s%s; that takes a restart of the server", next.Where(setting), change)
}
