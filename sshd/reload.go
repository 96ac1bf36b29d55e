package sshd

import "log/slog"

// Reload sets the configuration for new connections. Connections that exist keep
// the one they began with. On an error nothing changes.
func (s *Server) Reload(c Config) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	s.gate.limit(c.Limits)
	s.current.Store(&c)
	return nil
}

// complete checks a configuration and fills in the fields that may be nil.
func (c Config) complete() (Config, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Report == nil {
		c.Report = func(Event) error { return nil }
	}
	report := c.Report
	c.Report = func(e Event) error { return report(e.clipped()) }
	return c, c.check()
}
