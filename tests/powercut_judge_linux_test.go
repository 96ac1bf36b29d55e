package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// judge looks at a library after a cut, as a client of a server that was
// started on what the cut left, and says what is wrong.
type judge struct {
	c       *client
	account string
	library string // its folder
	known   []known
	half    bool // a rename may have been done by half
	found   map[string]held
	wrong   []string
}

func (j *judge) object(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// judge answers with what is wrong. An error is one of the judge's own.
func (j *judge) judge() error {
	for _, step := range []func() error{j.lookHidden, j.read, j.compare, j.resumeAll, j.moveAll, j.lookHidden} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// lookHidden: in the hidden folder nothing but partials is left.
func (j *judge) lookHidden() error {
	entries, err := hidden(j.library)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "partial-") {
			j.object("%s is left in the hidden folder", e.Name())
		}
	}
	return err
}

// read takes down all that is published.
func (j *judge) read() error {
	files, err := j.c.ReadDir("/")
	if err != nil {
		return err
	}
	j.found = make(map[string]held)
	for _, f := range files {
		text, err := j.c.download(f.Name())
		if err != nil {
			return err
		}
		if int64(len(text)) != f.Size() {
			j.object("%s is listed with %d bytes, and has %d", f.Name(), f.Size(), len(text))
		}
		if !j.isOwned(f.Name()) {
			j.object("%s does not name the account that has published it", f.Name())
		}
		j.found[f.Name()] = held{text, f.Mode().Perm(), f.ModTime().Unix()}
	}
	return nil
}

// isOwned tells whether a file names the account, where files can.
func (j *judge) isOwned(name string) bool {
	owner := make([]byte, 64)
	n, err := unix.Getxattr(filepath.Join(j.library, name), "user.shelf.owner", owner)
	return errors.Is(err, unix.ENOTSUP) || err == nil && string(owner[:n]) == j.account
}

// compare finds for each writer the state that is the one found.
func (j *judge) compare() error {
	names := 0
	for _, k := range j.known {
		matches := func(h holdings) bool { return len(h.differs(j.found)) == 0 }
		if !slices.ContainsFunc(k.states(j.half), matches) {
			j.wrong = append(j.wrong, k.acked.differs(j.found)...)
		}
		for name := range k.acked {
			if _, ok := j.found[name]; ok {
				names++
			}
		}
	}
	if names != len(j.found) {
		j.object("%d names are there, of which %d were ever given", len(j.found), names)
	}
	return nil
}

// eachName goes over all names, with what may be left of an upload under each.
func (j *judge) eachName(do func(name string, claims []claim) error) error {
	for _, k := range j.known {
		for name := range k.acked {
			var claims []claim
			for _, h := range k.states(j.half) {
				claims = append(claims, h[name].part)
			}
			if err := do(name, claims); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// resumeAll goes on with each upload that was cut, and expects what its writer
// wanted to publish.
func (j *judge) resumeAll() error {
	return j.eachName(func(name string, claims []claim) error {
		if _, ok := j.found[name]; ok {
			return nil
		}
		_, err := j.resume(name, claims, nil)
		return err
	})
}

// moveAll renames what is published, so that what may be left under its name
// comes to light, and goes on with that too: with another beginning, which
// must not find its way into the file that has moved.
func (j *judge) moveAll() error {
	return j.eachName(func(name string, claims []claim) error {
		f, ok := j.found[name]
		if !ok {
			return nil
		}
		moved := name + ".moved"
		if err := j.c.Rename(name, moved); err != nil {
			return err
		}
		for i := range claims {
			claims[i].synced = 0 // it was published
		}
		if left, err := j.resume(name, claims, []byte("other")); err != nil || !left {
			return err
		}
		if text, err := j.c.download(moved); err != nil || !bytes.Equal(text, f.content) {
			j.object("%s changed when what was left under that name was gone on with: %v", name, err)
		}
		return nil
	})
}

// resume goes on with what is left under a name, if anything is; left tells.
// Head is written over its beginning.
func (j *judge) resume(name string, claims []claim, head []byte) (left bool, err error) {
	i, err := j.c.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if least := slices.MinFunc(claims, func(a, b claim) int { return int(a.synced - b.synced) }); least.synced > 0 {
			j.object("of %s %d bytes were synced by fsync@openssh.com, and nothing is left", name, least.synced)
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	longest := slices.MaxFunc(claims, func(a, b claim) int { return len(a.content) - len(b.content) })
	if i.Size() > int64(len(longest.content)) {
		j.object("of %s %d bytes are left, where %d may be", name, i.Size(), len(longest.content))
		return false, nil
	}
	if !slices.ContainsFunc(claims, func(c claim) bool { return i.Size() >= c.synced }) {
		j.object("of %s %d bytes are left, fewer than were synced", name, i.Size())
	}
	rest := longest.content[i.Size():]
	if err := j.goOn(name, i.Size(), head, rest); err != nil {
		return true, err
	}
	text, err := j.c.download(name)
	if err != nil {
		return true, err
	}
	for _, c := range claims {
		if int64(len(c.content)) < i.Size() {
			continue
		}
		want := slices.Concat(c.content[:i.Size()], rest)
		copy(want, head)
		if bytes.Equal(text, want) {
			return true, nil
		}
	}
	j.object("%s was gone on with at %d of %d bytes, and is mixed now", name, i.Size(), len(longest.content))
	return true, nil
}

// goOn writes as reput does, and before it something over the beginning.
func (j *judge) goOn(name string, size int64, head, rest []byte) error {
	f, err := j.c.OpenFile(name, os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	_, first := f.WriteAt(head, 0)
	_, second := f.WriteAt(rest, size)
	return errors.Join(first, second, f.Close())
}
