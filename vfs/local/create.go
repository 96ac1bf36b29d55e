package local

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"shelf/vfs"
	"shelf/vfs/local/quota"
	"shelf/vfs/spool"
)

// Create implements [vfs.Library].
func (d *Dir) Create(_ context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	if err := vfs.CheckName(name); err != nil {
		if o.Base != nil {
			o.Base.Close()
		}
		return nil, err
	}
	if o.Base != nil {
		return d.createOver(name, o)
	}
	base, i, err := d.open(name)
	switch {
	case err == nil && (o.Create && o.Exclusive || o.NoReplace):
		base.Close()
		return nil, vfs.Exists()
	case err == nil:
		return orNil(d.replace(name, base, i, o))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if _, err := d.checkTarget(name, true); err != nil {
		return nil, err
	}
	return d.createNew(name, o)
}

// orNil is an upload as the contract has it; a nil *upload is not a nil Upload.
func orNil(u *upload, err error) (vfs.Upload, error) {
	if err != nil {
		return nil, err
	}
	return u, nil
}

// createNew begins an upload under a name that stands for nothing: from the
// owner's partial, if there is one and it is wanted.
func (d *Dir) createNew(name string, o vfs.CreateOptions) (vfs.Upload, error) {
	u, err := d.begin(name, o)
	if err != nil {
		return nil, err
	}
	u.mode = d.newMode(o.Mode)
	err = u.resume()
	if errors.Is(err, fs.ErrNotExist) && o.Create {
		err = u.startEmpty()
	}
	if err != nil {
		u.in.attempts.end(u.attempt)
		u.giveBack()
		return nil, err
	}
	return u, nil
}

// begin is an upload that has no stage yet.
func (d *Dir) begin(name string, o vfs.CreateOptions) (*upload, error) {
	in, owner := d.instance(), o.Owner
	if o.NoPartial {
		o.Owner = "" // nobody's partials; the file will be the owner's all the same
	}
	mine, err := in.beginAttempt(o.Owner, name)
	return &upload{d: d, in: in, name: name, o: o, owner: owner, attempt: mine}, err
}

// resume makes the owner's partial the stage, or drops one that is not wanted.
// The error is fs.ErrNotExist if there is nothing to resume.
func (u *upload) resume() error {
	if u.o.Truncate || u.o.Exclusive {
		if u.o.Create {
			if err := u.dropUnwanted(); err != nil {
				return err
			}
		}
		return vfs.NotExist()
	}
	st, size, err := u.in.takePartial(u.o.Owner, u.name)
	if err != nil {
		return err
	}
	u.stage, u.held, u.content = st, quota.CostOf(size), spool.Resume(st.File, u, size)
	return nil
}

// startEmpty gives the upload an empty stage.
func (u *upload) startEmpty() (err error) {
	if err := u.charge(0); err != nil {
		return err
	}
	if u.stage, err = u.in.create(u.attempt.entry); err != nil {
		return err
	}
	u.content = spool.New(u.stage.File, u)
	return nil
}

// dropUnwanted drops what the owner could resume, if the upload starts from
// nothing.
func (u *upload) dropUnwanted() error {
	if !u.o.Truncate && !u.o.Exclusive {
		return nil
	}
	return u.in.dropOlder(u.attempt)
}

// replace begins an upload that will replace the file base.
func (d *Dir) replace(name string, base *os.File, i info, o vfs.CreateOptions) (*upload, error) {
	u, err := d.begin(name, o)
	if err != nil {
		base.Close()
		return nil, err
	}
	u.mode = d.modeFor(i.mode)
	if o.Owner == "" {
		u.owner = ownerIn(base) // as for one that gets another size
	}
	if o.Base == nil {
		u.takeCredit(i)
	}
	err = u.dropUnwanted()
	if err == nil {
		err = u.startEmpty()
	}
	if err != nil {
		u.in.attempts.end(u.attempt)
		u.giveBack()
		base.Close()
		return nil, err
	}
	if o.Truncate {
		base.Close()
		return u, nil
	}
	u.base, u.content = base, spool.Over(u.stage.File, u, base, i.size)
	return u, nil
}

// newMode is the mode of a file that did not exist.
func (d *Dir) newMode(asked fs.FileMode) fs.FileMode {
	if asked == 0 {
		asked = 0o644
	}
	return d.modeFor(asked &^ d.o.now().Umask)
}

// modeFor is the mode that a file gets for which one is asked.
func (d *Dir) modeFor(asked fs.FileMode) fs.FileMode {
	if fixed := d.o.now().FileMode; fixed != 0 {
		asked = fixed
	}
	return vfs.FileMode(asked)
}
