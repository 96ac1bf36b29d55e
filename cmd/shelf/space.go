package main

import (
	"context"
	"fmt"
	"strings"

	"shelf/cmd/shelf/ui"
)

// space shows how much room the server has.
func space(ctx context.Context, s *session, _ *flags, args []string) error {
	if len(args) > 1 {
		return usageErrorf("which folder? space [FOLDER]")
	}
	back, err := s.visit(ctx, strings.Join(args, ""))
	if err != nil {
		return err
	}
	defer back()
	v, err := s.server.Space(ctx)
	if err != nil {
		return s.server.Explain(ctx, err)
	}
	s.ui.Event(struct {
		Event string `json:"event"`
		Free  uint64 `json:"free"`
		Total uint64 `json:"total"`
	}{"space", v.Free, v.Total})
	if !s.ui.JSON {
		fmt.Fprintf(s.ui.Out, "%s free of %s\n", ui.Size(int64(v.Free)), ui.Size(int64(v.Total)))
	}
	return nil
}
