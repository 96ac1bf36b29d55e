package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"slices"
	"sort"
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
	line  []byte      // for what is read; mu
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
	all, err := p.list()
	if err != nil {
		return Line{}, err
	}
	left, readable := maxSearched/pieceSize, false
	for _, r := range all {
		l, err := p.within(ctx, r, &left, w)
		if !errors.Is(err, ErrNoLine) && !errors.Is(err, errAway) {
			return l, err
		}
		readable = readable || errors.Is(err, ErrNoLine)
	}
	if !readable {
		return Line{}, errUnreadable
	}
	return Line{}, ErrNoLine
}

var (
	errUnreadable = errors.New("no file of the audit log can be read")
	errAway       = errors.New("the file is gone, or out of reach")
)

// within looks at one file, from its end on. It is opened once it is its turn, so that
// who waits for one holds no more than one file.
func (p *Published) within(ctx context.Context, r reading, left *int, w Wanted) (Line, error) {
	defer func() { r.close() }()
	for n := r.pieces() - 1; n >= 0 && *left > 0; n-- {
		*left--
		if l, err := p.look(ctx, &r, n, w); !errors.Is(err, ErrNoLine) {
			return l, err
		}
	}
	return Line{}, ErrNoLine
}

// look looks at one piece of a file, in one turn.
func (p *Published) look(ctx context.Context, f *reading, n int, w Wanted) (Line, error) {
	turns := vfs.TurnsOf(ctx)
	end, err := turns.Take(ctx, turns.Name)
	if err != nil {
		return Line{}, err
	}
	defer end()
	if f.File == nil {
		if f.File, err = p.open(*f); err != nil {
			return Line{}, err
		}
	}
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
	places := at.places(p.hash(quoted(w.Library), quoted(w.Name), account))
	line := func(i int) (Line, error) { return p.lineAt(f.File, int64(n)*pieceSize+places[i]) }
	if w.Before > 0 { // there may be many behind it; their numbers grow
		places = places[:sort.Search(len(places), func(i int) bool { l, err := line(i); return err == nil && l.Seq >= w.Before })]
	}
	for i := len(places) - 1; i >= 0 && ctx.Err() == nil; i-- {
		l, err := line(i)
		if err == nil && l.gives(w) {
			return l, nil
		}
	}
	return Line{}, cmp.Or(ctx.Err(), ErrNoLine)
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

// reading is a file of the log, and what is known of it.
type reading struct {
	*os.File // nil until it is opened
	path     string
	known    *searched
	size     int64
}

func (r reading) pieces() int { return int((r.size + pieceSize - 1) / pieceSize) }

func (r reading) close() {
	if r.File != nil {
		r.Close()
	}
}

// list lists the files of the log, the youngest first, as many as are searched. Packed
// ones are left out.
func (p *Published) list() (all []reading, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := int64(maxSearched)
	add := func(path string, info os.FileInfo, at int) {
		if !slices.ContainsFunc(all, func(r reading) bool { return os.SameFile(r.known.file, info) }) {
			r := reading{path: path, known: p.known(info), size: info.Size()}
			all, left = slices.Insert(all, at, r), left-int64(r.pieces())*pieceSize
		}
	}
	before, gone := os.Stat(p.path) // it may be renamed after its folder was listed, and then be missed
	for _, path := range p.paths() {
		if info, err := os.Stat(path); err == nil && left > 0 {
			add(path, info, len(all))
		}
	}
	if gone == nil {
		add(p.path, before, min(1, len(all)))
	}
	p.files = p.files[:0:0]
	for _, r := range all {
		p.files = append(p.files, r.known)
	}
	if len(all) == 0 {
		return nil, errUnreadable
	}
	return all, nil
}

// open opens a file that was listed, also if it was renamed since.
func (p *Published) open(r reading) (*os.File, error) {
	f, err := openSame(r.path, r.known.file)
	if err == nil {
		return f, nil
	}
	if r.path == p.path && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errAway) {
		return nil, err
	}
	for _, path := range p.paths() {
		if f, err := openSame(path, r.known.file); err == nil {
			return f, nil
		}
	}
	return nil, errAway // or it is out of reach
}

// openSame opens a path if it is that of a file.
func openSame(path string, file os.FileInfo) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !os.SameFile(info, file) {
		return nil, errAway
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !os.SameFile(info, file) {
		f.Close()
		return nil, errAway
	}
	return f, nil
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

// lineAt reads the line that begins at a place of a file. mu is held.
func (p *Published) lineAt(f *os.File, place int64) (l Line, err error) {
	if p.line == nil {
		p.line = make([]byte, maxLine)
	}
	for _, most := range []int{maxLine / 16, maxLine} { // nearly all are short
		var n int
		n, err = f.ReadAt(p.line[:most], place)
		if text, _, whole := bytes.Cut(p.line[:n], []byte("\n")); whole {
			return l, json.Unmarshal(text, &l)
		}
	}
	return l, errors.Join(ErrNoLine, err)
}
