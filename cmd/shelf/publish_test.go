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
	fails byte // a kind of request that is refused when it is made again
	asked map[byte]int
}

func (p *plainFiles) answer(r request, out io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := func(c uint32) { out.Write(newPacket(0).uint32(c).string("").string("").seal(fxpStatus, r.id)) }
	if p.asked[r.kind]++; r.kind == p.fails && p.asked[r.kind] > 1 {
		code(fxFailure)
		return
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

// A file is removed only if another takes its place; and if that fails, where
// the other is gets said.
func TestReplaceInTwoSteps(t *testing.T) {
	for _, row := range []struct {
		from, to string
		fails    byte
		left     map[string]string
		status   int
		says     string
	}{
		{"a", "b", 0, map[string]string{"/b": "new"}, 0, ""},
		{"a", "c", 0, map[string]string{"/b": "old", "/c": "new"}, 0, ""},
		{"b", "b", 0, map[string]string{"/a": "new", "/b": "old"}, exitSome, ""},
		{"absent", "b", 0, map[string]string{"/a": "new", "/b": "old"}, exitSome, "no such file"},
		{"a", "b", fxpRename, map[string]string{"/a": "new"}, exitSome, "is on the server as a"},
	} {
		p := &plainFiles{files: map[string]string{"/a": "new", "/b": "old"}, fails: row.fails, asked: make(map[byte]int)}
		s := hostile(t, p.answer)
		status, _, errs := s.run(t, "", s.addr, "rename", "--force", row.from, row.to)
		want(t, status, row.status, errs, row.says)
		if !maps.Equal(p.files, row.left) {
			t.Errorf("rename --force %s %s leaves %v", row.from, row.to, p.files)
		}
	}
}
