package tests

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
)

// linearClient is one of the clients whose requests are checked.
type linearClient struct {
	id     int
	lot    *rand.Rand
	h      *history
	folder string         // of the library, in "/"; "" is that it is "/"
	both   []*epoch       // libraries that take turns, if there are several
	inside bool           // an upload into another library is open
	last   *atomic.Uint32 // the number of the newest version of all
	forced bool           // RENAME without replacing is link and unlink
	stored *stored        // the library is in a bucket; nil is that it is in a folder
	large  bool           // the versions are sent in parts
	slot   int            // of the next rename
	dial   func() (*client, error)

	c *client
}

func linearName(n int) string { return fmt.Sprintf("n%d", n) }

// path is what the client calls a name now.
func (l *linearClient) path(name int) string {
	if l.large {
		return "/large " + linearName(name)
	}
	return inFolder(l.folder, linearName(name))
}

func inFolder(folder, name string) string { return path.Join("/", folder, name) }

// turn goes on in one of the libraries by lot.
func (l *linearClient) turn() {
	if len(l.both) > 0 {
		e := l.both[l.lot.IntN(len(l.both))]
		l.folder, l.h = e.folder, e.history
	}
}

// meanwhile does something in another library, if there is one, while an upload is
// open. In the same one a session sees its own uploads before others do.
func (l *linearClient) meanwhile() error {
	if len(l.both) < 2 || l.inside {
		return nil
	}
	folder, h := l.folder, l.h
	l.inside = true
	for l.folder == folder {
		l.turn()
	}
	err := l.step()
	l.folder, l.h, l.inside = folder, h, false
	return err
}

// wanderer is a file that one client renames among these names and that is never
// replaced or removed: every listing must show it.
var wanderer = []string{"m0", "m1", "m2", "m3"}

// errGone ends a request that had no answer, and the connection.
var errGone = errors.New("no answer")

// run asks one thing after another until told to stop; a connection that breaks
// is made anew.
func (l *linearClient) run(stop *atomic.Bool) {
	defer l.drop()
	for !stop.Load() {
		if l.c == nil {
			c, err := l.dial()
			if err != nil {
				time.Sleep(5 * time.Millisecond) // there is no server at the moment
				continue
			}
			l.c = c
		}
		if l.lot.IntN(60) == 0 {
			// Somewhere in what follows the client is gone.
			c := l.c
			time.AfterFunc(time.Duration(l.lot.IntN(3000))*time.Microsecond, func() { c.cut(l.id%2 == 0) })
		}
		c := l.c
		hangs := time.AfterFunc(patience, func() {
			l.h.object("client %d had no answer for %s", l.id, patience)
			c.cut(true)
		})
		if l.turn(); l.step() != nil {
			l.drop()
		}
		hangs.Stop()
	}
}

func (l *linearClient) drop() {
	if l.c != nil {
		l.c.close()
	}
	l.c = nil
}

func (l *linearClient) step() error {
	name := l.lot.IntN(linearNames)
	other := (name + 1 + l.lot.IntN(linearNames-1)) % linearNames
	if l.forced && l.lot.IntN(3) == 0 {
		// Two names, so that renames of the one and the other way meet.
		name, other = name%2, 1-name%2
		if l.lot.IntN(2) == 0 {
			return l.rename(name, other)
		}
		return l.posixRename(name, other)
	}
	switch l.lot.IntN(11) {
	case 0, 1, 2:
		return l.put(name)
	case 3:
		return l.excl(name)
	case 4, 5:
		return l.get(name)
	case 6:
		if l.large {
			return l.get(name) // STAT would tell of what is kept of cut uploads
		}
		return l.stat(name)
	case 7:
		return l.list()
	case 8:
		return l.rename(name, other)
	case 9:
		return l.posixRename(name, other)
	case 10:
		return l.ask(asked{request: reqRemove, name: name}, func() error { return l.c.Remove(l.path(name)) })
	}
	return nil
}

// ask sends a request of which the answer is whether it was done.
func (l *linearClient) ask(q asked, send func() error) error {
	called := l.h.now()
	return l.answered(called, q, told{}, send())
}

// answered takes an answer down.
func (l *linearClient) answered(called int64, q asked, a told, err error) error {
	q.client = l.id
	a, counts, err := l.judge(a, err)
	if counts {
		l.h.add(called, q, a)
	}
	return err
}

// judge tells what an answer says, whether it may have been done or tells of the
// library, and whether the connection is to end.
func (l *linearClient) judge(a told, err error) (_ told, counts bool, _ error) {
	a.known = true
	status := (*sftp.StatusError)(nil)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		a.outcome = noFile
	case l.stored.failed(err):
		a.known = false
		return a, l.stored.uncertain(err), nil
	case errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure:
		a.outcome = taken
	default:
		a.known = false
		return a, true, errGone
	}
	return a, true, nil
}

func (l *linearClient) put(name int) error {
	return l.upload(asked{request: reqPut, name: name}, os.O_TRUNC)
}

// excl: OPEN with EXCL is a look, which finds nothing if it is granted.
func (l *linearClient) excl(name int) error {
	return l.upload(asked{request: reqExcl, name: name}, os.O_EXCL)
}

func (l *linearClient) upload(q asked, how int) error {
	q.version = l.stored.version(l.last.Add(1), l.large)
	called := l.h.now()
	f, err := l.c.OpenFile(l.path(q.name), os.O_WRONLY|os.O_CREATE|how)
	if how == os.O_EXCL {
		a := told{outcome: noFile}
		if err == nil {
			l.h.add(called, asked{request: reqLook, client: l.id, name: q.name}, told{known: true, outcome: a.outcome})
		} else {
			return l.looked(called, q.name, err)
		}
	}
	if err != nil {
		return errGone
	}
	if err := l.meanwhile(); err != nil {
		return err
	}
	piece := 8 << 10
	if l.large {
		piece = 1 << 20
	}
	for text := range slices.Chunk(q.version.bytes(), piece) {
		if _, err := f.Write(text); err != nil {
			return errGone
		}
	}
	return l.ask(q, f.Close)
}

// looked takes down an OPEN with EXCL that was refused.
func (l *linearClient) looked(called int64, name int, err error) error {
	if l.stored.failed(err) {
		return nil
	}
	if status := (*sftp.StatusError)(nil); errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure {
		l.h.add(called, asked{request: reqLook, client: l.id, name: name}, told{known: true, outcome: done})
		return nil
	}
	return errGone
}

// get reads at once, or slowly. What it read counts if it came to the end.
func (l *linearClient) get(name int) error {
	called := l.h.now()
	f, err := l.c.Open(l.path(name))
	opened := l.h.now()
	q := asked{request: reqGet, client: l.id, name: name}
	if errors.Is(err, fs.ErrNotExist) {
		l.h.addUntil(called, opened, q, told{known: true, outcome: noFile})
		return nil
	}
	if err != nil {
		return errGone
	}
	defer f.Close()
	text, err := l.readAll(f)
	if err != nil {
		return errGone
	}
	v, err := readVersion(text)
	if err != nil {
		l.h.object("%s: what was read is no version: %v", l.path(name), err)
		return nil
	}
	l.h.addUntil(called, opened, q, told{known: true, number: v.number})
	return nil
}

func (l *linearClient) readAll(f io.Reader) (text []byte, err error) {
	if l.large || l.lot.IntN(2) == 0 {
		return io.ReadAll(f)
	}
	piece := make([]byte, 4<<10)
	for {
		n, err := f.Read(piece)
		text = append(text, piece[:n]...)
		if err == io.EOF {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(l.lot.IntN(10)) * time.Millisecond)
	}
}

func (l *linearClient) stat(name int) error {
	called := l.h.now()
	i, err := l.c.Stat(l.path(name))
	q, a := asked{request: reqLook, client: l.id, name: name}, told{known: true}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.outcome = noFile
	case err != nil:
		return errGone
	default:
		a.size = l.size(i.Size())
	}
	l.h.add(called, q, a)
	return nil
}

// size is what is told of the size of a file: of large ones, none.
func (l *linearClient) size(n int64) int {
	if l.large {
		return 0
	}
	return int(n)
}

func (l *linearClient) rename(name, to int) error {
	q := asked{request: reqRename, name: name, to: to, slot: l.id}
	send := func() error { return l.c.Rename(l.path(name), l.path(to)) }
	if l.stored != nil {
		return l.copy(q, send)
	}
	if !l.forced {
		return l.ask(q, send)
	}
	called := l.h.now()
	err := send()
	if err != nil && (errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*sftp.StatusError))) {
		return l.answered(called, q, told{}, err)
	}
	link, unlink := q, q
	link.request, unlink.request = reqLink, reqUnlink
	l.answered(called, link, told{}, err)
	return l.answered(called, unlink, told{}, err)
}

func (l *linearClient) posixRename(name, to int) error {
	q := asked{request: reqRename, name: name, to: to, replace: true}
	send := func() error { return l.c.PosixRename(l.path(name), l.path(to)) }
	if l.stored != nil {
		return l.copy(q, send)
	}
	return l.ask(q, send)
}

// list checks a listing, which promises less than a moment at which all of it
// was so: with many names it is read in many steps. It promises that
//
//   - each name is as it was at some moment between OPENDIR and the end of the
//     listing: there with that size, or not there. So one that was there all the
//     time is in it, and one that was not is not in it;
//   - a file that was there all the time is in it under one name at least, be
//     it renamed meanwhile.
//
// The first is a look of the model, of one name by lot: with all names of all
// listings the search would take too long. That no name of a file that is never
// touched is missing or there twice, and the second, which is asked of a file
// that does nothing but wander, need no model.
func (l *linearClient) list() error {
	called := l.h.now()
	files, err := l.c.ReadDir("/" + l.folder)
	if err != nil {
		return errGone
	}
	until := l.h.now()
	times, sizes := make(map[string]int), make(map[string]int)
	for _, f := range files {
		times[f.Name()]++
		sizes[f.Name()] = int(f.Size())
	}
	q, a := asked{request: reqLook, client: l.id, name: l.lot.IntN(linearNames)}, told{known: true, outcome: noFile}
	if size, ok := sizes[path.Base(l.path(q.name))]; ok {
		a = told{known: true, size: l.size(int64(size))}
	}
	l.h.addUntil(called, until, q, a)
	for n := range stillFiles {
		if times[stillName(n)] != 1 {
			l.h.object("%s, which is never touched, is listed %d times", stillName(n), times[stillName(n)])
		}
	}
	if !slices.ContainsFunc(wanderer, func(name string) bool { return times[name] > 0 }) {
		l.h.object("a file that is renamed, and there all the time, is listed under no name")
	}
	return nil
}

// stillFiles is how many files there are that nobody touches: so many that a
// listing has to be read in several steps.
const stillFiles = 300

func stillName(n int) string { return fmt.Sprintf("still %d", n) }
