package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
)

// programs are those for a system. The server has no form for Windows.
func (s system) programs() []string {
	if s.os == "windows" {
		return []string{"shelf"}
	}
	return []string{"shelf", "shelfd"}
}

// buildPrograms builds the programs for each system, and for this machine, which
// has to run them. They are static, and hold no path of this machine.
func (r *release) buildPrograms(ctx context.Context) error {
	for _, s := range append([]system{{runtime.GOOS, runtime.GOARCH}}, r.systems...) {
		for _, name := range s.programs() {
			cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
				"-ldflags", "-s -w -buildid= -X main.commit="+r.describe, "-o", r.program(s, name), "./cmd/"+name)
			// The environment of who builds must not show in what is built.
			cmd.Env = append(os.Environ(), "GOOS="+s.os, "GOARCH="+s.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=",
				"GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
			if _, err := output(cmd); err != nil {
				return err
			}
		}
	}
	return nil
}
