package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The list of modules is a CycloneDX 1.6 bill of materials, which scanners of
// vulnerabilities read.

type bom struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     bomMetadata  `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type bomMetadata struct {
	Timestamp time.Time `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Ref     string `json:"bom-ref"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// listModules writes which modules, and which version of Go, are in the programs
// of all systems. The programs themselves tell it.
func (r *release) listModules(context.Context) error {
	modules := make(map[string]component)
	add := func(name, version string) {
		purl := "pkg:golang/" + name + "@" + version
		modules[purl] = component{purl, "library", name, version, purl}
	}
	for _, s := range r.systems {
		for _, program := range s.programs() {
			info, err := buildinfo.ReadFile(r.program(s, program))
			if err != nil {
				return err
			}
			add("std", info.GoVersion)
			for _, m := range info.Deps {
				add(m.Path, m.Version)
			}
		}
	}
	self := component{"pkg:golang/shelf@" + r.name, "application", "shelf", r.name, "pkg:golang/shelf@" + r.name}
	list := bom{"CycloneDX", "1.6", 1, bomMetadata{r.time, self}, nil, []dependency{{self.Ref, slices.Sorted(maps.Keys(modules))}}}
	for _, ref := range list.Dependencies[0].DependsOn {
		list.Components = append(list.Components, modules[ref])
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "shelf_"+r.name+"_sbom.cdx.json"), append(text, '\n'), 0o644)
}
