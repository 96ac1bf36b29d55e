package main

import (
	"fmt"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// hostKeys is the part that holds the keys that clients know the server by.
type hostKeys struct{ current keys.HostKeys }

func (h *hostKeys) check(s config.Settings) error { return noHostKey(s, keys.CheckHostKeys(s.State)) }

func (h *hostKeys) open(s config.Settings) (err error) {
	if err = keys.MakeMissingHostKeys(s.State); err == nil {
		h.current, err = keys.OpenHostKeys(s.State)
	}
	return noHostKey(s, err)
}

func (h *hostKeys) reload(was, next config.Settings) (func() error, error) {
	if was.State != next.State {
		return nil, needsRestart(next, "state", "state is now "+next.State)
	}
	k, err := keys.OpenHostKeys(next.State)
	return func() error { h.current = k; return nil }, noHostKey(next, err)
}

func (h *hostKeys) close() {}

func noHostKey(s config.Settings, err error) error {
	if err == nil {
		return nil
	}
	remedy := fmt.Sprintf("Correct that to keep the key that clients know. If you name another directory with %s,\n"+
		"  the server makes a new key there, and clients warn that it has changed.", s.By("state"))
	return &problem{s.Where("state"), "There is no host key to serve with", err, remedy}
}
