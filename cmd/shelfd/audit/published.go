package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"shelf/vfs"
)

// Published finds the lines of what was published, in the files of a log, the last
// one first. It is safe for concurrent use.
//
// The log is read backwards, a piece at a time, and only as far as it takes. Where a
// piece has such lines is remembered, so that it is read once, however many ask. Each
// step is one of the [vfs.Turns] of ctx.
type Published struct {
	path  string
	first []string // the files that there were at the start
	seed  maphash.Seed

	mu    sync.Mutex
	files []*searched // mu
}

// maxSearched is how much of a log is searched, in bytes. What is remembered of that
// is 32 MiB at most, and a fraction of it where clients do more than publish.
const maxSearched = 1 << 30

// NewPublished finds lines in the log of a path, and in the files that were renamed to
// make room for it.
func NewPublished(path string) *Published {
	return &Published{path: path, first: Files(path), seed: maphash.MakeSeed()}
}

// Wanted is which line is wanted.
type Wanted struct {
	Library, Name string // Name is the one that was given
	Account       string // whose line; "" is anybody's
	Before        uint64 // the number of the line is smaller; 0 is any
}

// ErrNoLine is that no line fits.
var ErrNoLine = errors.New("there is no such line in the audit log")

// The operations that give something a name.
const (
	OpPut    = "put"
	OpRename = "rename"
)

// Last is the last line that fits: of an upload, of a rename to the name, or of what
// was recovered.
func (p *Published) Last(ctx context.Context, w Wanted) (Line, error) {
	all, err := p.open()
	defer func() {
		for _, f := range all {
			f.Close()
		}
	}()
	if err != nil {
		return Line{}, err
	}
	left := int64(maxSearched)
	for _, f := range all {
		for n := f.pieces() - 1; n >= 0 && left > 0; n-- {
			l, err := p.look(ctx, f, n, w)
			if !errors.Is(err, ErrNoLine) {
				return l, err
			}
			left -= pieceSize
		}
	}
	return Line{}, ErrNoLine
}

// look looks at one piece of a file, in one turn.
func (p *Published) look(ctx context.Context, f reading, n int, w Wanted) (Line, error) {
	turns := vfs.TurnsOf(ctx)
	end, err := turns.Take(ctx, turns.Name)
	if err != nil {
		return Line{}, err
	}
	defer end()
	p.mu.Lock()
	defer p.mu.Unlock()
	at := f.known.piece(n)
	if err := at.read(f.File, int64(n)*pieceSize, p.entries); err != nil {
		return Line{}, err
	}
	var account []byte
	if w.Account != "" {
		account = quoted(w.Account)
	}
	for _, place := range slices.Backward(at.places(p.hash(quoted(w.Library), quoted(w.Name), account))) {
		l, err := lineAt(f.File, int64(n)*pieceSize+place)
		if err == nil && l.gives(w) {
			return l, nil
		}
	}
	return Line{}, ErrNoLine
}

// gives tells whether a line is one of those that are wanted.
func (l Line) gives(w Wanted) bool {
	name := l.Name
	if l.Op == OpRename {
		name = l.Target
	}
	return l.Result == vfs.ResultOK && l.Library == w.Library && name == w.Name && is(w.Account, l.Account) && (w.Before == 0 || l.Seq < w.Before)
}

// entries are what a line is found by: its name and, if it has one, its account too.
func (p *Published) entries(line []byte) (hashes []uint64) {
	name, ok := givenName(line)
	if !ok {
		return nil
	}
	library, account := textOf(line, "library"), textOf(line, "account")
	hashes = append(hashes, p.hash(library, name, nil))
	if account != nil {
		hashes = append(hashes, p.hash(library, name, account))
	}
	return hashes
}

// hash takes texts as they stand in a line.
func (p *Published) hash(library, name, account []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, part := range [][]byte{library, name, account} {
		h.Write(part)
		h.WriteByte(0) // no text of a line has it
	}
	return h.Sum64()
}

// quoted is a text as it stands in a line, without its quotes.
func quoted(text string) []byte {
	q := appendText(nil, text)
	return q[1 : len(q)-1]
}

// givenName is the name that a line gives to a file, as it stands there. A line is
// not parsed for that: most are of something else.
func givenName(line []byte) (name []byte, ok bool) {
	_, rest, _ := bytes.Cut(line, []byte(`,"op":"`))
	op, rest, _ := bytes.Cut(rest, []byte(`","result":"`))
	if !bytes.HasPrefix(rest, []byte(vfs.ResultOK+`"`)) {
		return nil, false
	}
	switch string(op) {
	case OpPut:
		// One that is neither new nor takes another's place has changed attributes alone.
		if bytes.Contains(rest, []byte(`,"new":true,`)) || bytes.Contains(rest, []byte(`,"replaced":{`)) {
			name = textOf(line, "name")
		}
	case OpRecovered:
		name = textOf(line, "name")
	case OpRename:
		name = textOf(line, "target")
	}
	return name, name != nil
}

// textOf is the text of a field, as it stands in the line, without its quotes; nil is none. Within a text
// no quote stands alone, so nothing in one looks like a field.
func textOf(line []byte, field string) []byte {
	_, rest, ok := bytes.Cut(line, []byte(`,"`+field+`":"`))
	if !ok {
		return nil
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return rest[:i:i]
		}
	}
	return nil
}

// reading is a file of the log that is open, and what is known of it.
type reading struct {
	*os.File
	known *searched
	size  int64
}

func (r reading) pieces() int { return int((r.size + pieceSize - 1) / pieceSize) }

// open opens the files of the log, the youngest first. Packed ones are left out.
func (p *Published) open() (all []reading, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(f *os.File, at int) {
		info, err := f.Stat()
		if err != nil || slices.ContainsFunc(all, func(r reading) bool { return os.SameFile(r.known.file, info) }) {
			f.Close()
			return
		}
		all = slices.Insert(all, at, reading{f, p.known(info), info.Size()})
	}
	var refused error
	before, gone := os.Open(p.path) // it may be renamed after its folder was listed, and then be missed
	for _, path := range p.paths() {
		f, err := os.Open(path)
		if err == nil {
			add(f, len(all))
		} else if path == p.path && !errors.Is(err, fs.ErrNotExist) {
			refused = err // others have gone meanwhile, or are out of reach
		}
	}
	if gone == nil {
		add(before, min(1, len(all)))
	}
	if refused != nil {
		return all, refused
	}
	p.files = p.files[:0:0]
	for _, r := range all {
		p.files = append(p.files, r.known)
	}
	if len(all) == 0 {
		return nil, errors.New("no file of the audit log can be read")
	}
	return all, nil
}

// paths are those of the files that there are. Where their folder cannot be listed
// any more, those of the start may still be there.
func (p *Published) paths() []string {
	all := Files(p.path)
	for _, path := range p.first {
		if !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	return slices.DeleteFunc(all, func(path string) bool { return strings.HasSuffix(path, ".gz") })
}

// known is what is known of a file, whatever its name is by now. mu is held.
func (p *Published) known(info os.FileInfo) *searched {
	for _, s := range p.files {
		if os.SameFile(s.file, info) && info.Size() >= s.end() {
			return s
		}
	}
	return &searched{file: info, pieces: make(map[int]*piece)}
}

// lineAt reads the line that begins at a place of a file.
func lineAt(f *os.File, place int64) (l Line, err error) {
	b := make([]byte, maxLine)
	n, err := f.ReadAt(b, place)
	text, _, whole := bytes.Cut(b[:n], []byte("\n"))
	if !whole {
		return l, errors.Join(ErrNoLine, err)
	}
	return l, json.Unmarshal(text, &l)
}
