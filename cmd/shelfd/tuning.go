package main

import (
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/tuning"
)

// runtimeTuning is the part that adjusts the Go runtime to the load.
type runtimeTuning struct {
	connections func() int // how many there are
	stop        func()
}

func (t *runtimeTuning) check(config.Settings) error { return nil }

func (t *runtimeTuning) open(s config.Settings) error {
	t.stop = tuning.Start(s.MemoryLimit.Bytes, t.connections)
	return nil
}

func (t *runtimeTuning) reload(_, _ config.Settings) (func() error, error) { return nil, nil }

func (t *runtimeTuning) close() { t.stop() }
