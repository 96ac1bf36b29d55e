package vfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Create implements [Library].
func (d *Dir) Create(_ context.Context, name string, o CreateOptions) (Upload, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if o.Base != nil {
		return d.createOver(name, o)
	}
	base, i, err := d.open(name)
	switch {
	case err == nil && (o.Create && o.Exclusive || o.NoReplace):
		base.Close()
		return nil, &Error{Kind: fs.ErrExist, Why: "a file of that name exists"}
	case err == nil:
		return d.replace(name, base, i, o)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := d.checkTarget(name, true); err != nil {
		return nil, err
	}
	return d.createNew(name, o)
}

// createNew begins an upload under a name that stands for nothing: from the
// owner's partial, if there is one and it is wanted.
func (d *Dir) createNew(name string, o CreateOptions) (Upload, error) {
	u := &upload{d: d, name: name, o: o, changed: true, mode: newMode(o.Mode)}
	var err error
	if o.Truncate || o.Exclusive {
		err = d.stages.dropPartial(o.Owner, name)
	} else {
		u.stage, u.size, err = d.stages.takePartial(o.Owner, name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if u.stage != nil {
		// The quota counts it already.
		u.written.add(0, u.size)
		u.charged = u.size
		d.usage.pledge(u.size)
		return u, nil
	}
	if !o.Create {
		return nil, notExist()
	}
	u.stage, err = d.stages.create()
	if err != nil {
		return nil, err
	}
	return u, nil
}

// replace begins an upload that will replace the file base.
func (d *Dir) replace(name string, base *os.File, i info, o CreateOptions) (Upload, error) {
	st, err := d.stages.create()
	if err != nil {
		base.Close()
		return nil, err
	}
	u := &upload{d: d, name: name, o: o, stage: st, changed: true, mode: FileMode(i.mode)}
	if o.Truncate {
		base.Close()
		return u, nil
	}
	u.base, u.baseEnd, u.size, u.changed = base, i.size, i.size, false
	return u, nil
}

// newMode is the mode of a file that did not exist.
func newMode(asked fs.FileMode) fs.FileMode {
	if asked == 0 {
		return 0o644
	}
	return FileMode(asked)
}
