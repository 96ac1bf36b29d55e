package main

import (
	"io"
	"maps"
	"sync"
	"testing"
)

// plainFiles is a server of the draft alone: its RENAME replaces nothing.
type plainFiles struct {
	mu    sync.Mutex // guards files
	files map[string]string
	// renames that are refused, of the first, the second and so on
	refused map[int]bool
	renames int
}

func (p *plainFiles) answer(r request, out io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := func(c uint32) { out.Write(newPacket(0).uint32(c).string("").string("").seal(fxpStatus, r.id)) }
	if r.kind == fxpRename {
		if p.renames++; p.refused[p.renames] {
			code(fxPermissionDenied)
			return
		}
	}
	from := r.body.string()
	text, there := p.files[from]
	switch r.kind {
	case fxpRealpath:
		out.Write(newPacket(0).uint32(1).string("/").string("/").attrs(0).seal(fxpName, r.id))
	case fxpStat:
		if there {
			out.Write(newPacket(0).attrs(uint64(len(text))).seal(fxpAttrs, r.id))
		} else {
			code(fxNoSuchFile)
		}
	case fxpRemove:
		delete(p.files, from)
		code(fxOK)
	case fxpRename:
		to := r.body.string()
		switch _, taken := p.files[to]; {
		case !there:
			code(fxNoSuchFile)
		case taken:
			code(fxFailure)
		default:
			delete(p.files, from)
			p.files[to] = text
			code(fxOK)
		}
	default:
		code(fxOpUnsupported)
	}
}

// A file is replaced only by another that takes its place; if that fails it is
// there as before, or it is said where it is.
func TestReplaceInTwoSteps(t *testing.T) {
	before := map[string]string{"/a": "new", "/b": "old"}
	for _, row := range []struct {
		from, to string
		refused  map[int]bool
		left     map[string]string
		status   int
		says     string
	}{
		{"a", "b", nil, map[string]string{"/b": "new"}, 0, ""},
		{"a", "c", nil, map[string]string{"/b": "old", "/c": "new"}, 0, ""},
		{"b", "b", nil, before, exitSome, ""},
		{"absent", "b", nil, before, exitSome, "no such file"},
		{"a", "b", map[int]bool{1: true}, before, exitSome, "permission denied"},
		{"a", "b", map[int]bool{2: true}, before, exitSome, "permission denied"},
		{"a", "b", map[int]bool{3: true}, before, exitSome, "permission denied"},
		{"a", "b", map[int]bool{3: true, 4: true}, nil, exitSome, "and the new one as a"},
	} {
		p := &plainFiles{files: maps.Clone(before), refused: row.refused}
		s := hostile(t, p.answer)
		status, _, errs := s.run(t, "", s.addr, "rename", "--force", row.from, row.to)
		want(t, status, row.status, errs, row.says)
		if row.left != nil && !maps.Equal(p.files, row.left) {
			t.Errorf("rename --force %s %s, refused %v, leaves %v", row.from, row.to, row.refused, p.files)
		}
		if len(p.files) < len(before)-1 {
			t.Errorf("something is gone: %v", p.files)
		}
	}
}
