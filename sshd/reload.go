package sshd

import "log/slog"

// Reload has connections to come served by another configuration. Those that are
// there go on by the one they began with. On an error nothing changes.
func (s *Server) Reload(c Config) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	s.gate.limit(c.Limits)
	s.current.Store(&c)
	return nil
}

// complete checks a configuration, and fills in what may be left out.
func (c Config) complete() (Config, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Report == nil {
		c.Report = func(Event) {}
	}
	return c, c.check()
}
