package main

import (
	"context"
	"fmt"
)

func (s *shell) space(ctx context.Context, _ *choices, args []string) error {
	if len(args) > 0 {
		return usageErrorf("space takes no words")
	}
	v, err := s.remote.ask.space(ctx, s.remote.folder)
	if err != nil {
		return s.remote.ask.explain(ctx, err)
	}
	s.event(struct {
		Event string `json:"event"`
		Free  uint64 `json:"free"`
		Total uint64 `json:"total"`
	}{"space", v.free, v.total})
	if !s.json {
		fmt.Fprintf(s.out, "%s free of %s\n", size(int64(v.free)), size(int64(v.total)))
	}
	return nil
}
