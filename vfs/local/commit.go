package local

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
	"shelf/vfs/local/quota"
)

// Sync implements [vfs.Upload]. The beginning of what is synced survives a crash as
// a partial, where it would be kept if the client were gone.
func (u *upload) Sync() error {
	if err := u.usable(); err != nil {
		return err
	}
	if err := u.stage.Sync(); err != nil {
		return u.content.Fail(vfs.SystemError("fsync", err))
	}
	if size := u.resumable(); size > 0 {
		return u.content.Fail(u.stage.save(u.attempt, size))
	}
	return nil
}

// sync is Commit's: what the library promises, not what the client asked.
func (u *upload) sync() error {
	if u.d.o.now().Durability == NoFsync {
		return nil
	}
	begun := time.Now()
	err := u.stage.Sync()
	u.d.o.now().Timed(Syncing, time.Since(begun))
	return vfs.SystemError("fsync", err)
}

// check asks whoever judges the stage, which is whole.
func (u *upload) check(ctx context.Context) error {
	return u.o.Check.Run(ctx, vfs.Staged{Name: u.name, Size: u.content.Size(), Content: u.content, Open: u.stage.open})
}

// Check implements [vfs.Checker].
func (u *upload) Check(ctx context.Context) error {
	if err := u.usable(); err != nil || u.o.Check == nil || !u.content.Changed() {
		return err
	}
	if err := u.content.Settle(); err != nil {
		return err
	}
	return u.check(ctx)
}

// Commit implements [vfs.Upload]. The order of the system calls is the promise:
//
//	copy_file_range  holes from the base, so the stage is the whole file
//	ftruncate        to its size, where it ends in a hole
//	fchmod utimensat fsetxattr (whose file it is)
//	fsync(stage)     the content is on disk before any name stands for it
//	                 here whoever judges it is asked, see vfs.Check
//	linkat fsync     where versions are kept: the file that has the name gets another one
//	                 in the history, which is on disk before it loses the first (kept.go)
//	renameat         over the name: readers have the old file or the new one
//	                 (renameat2, or linkat and unlinkat, where it must not replace)
//	fsync(folder)    the name is on disk before the client is told; those who have
//	                 renamed by the time that it begins share it
//	unlinkat         a partial of the same owner and name, which is obsolete
//	fsync            of the folder of partials if there was one, and of the stages'
//	                 if this one was saved
//
// After an error of fsync(folder) the new file is there, whole, but a power cut
// may undo that: it is uncertain.
func (u *upload) Commit(ctx context.Context) (vfs.Change, error) {
	if err := u.usable(); err != nil {
		u.Abort()
		return vfs.Change{}, err
	}
	if !u.content.Changed() {
		i, err := u.commitAttr(ctx)
		return vfs.Change{After: i}, errors.Join(err, u.Abort())
	}
	begun := time.Now()
	defer func() { u.d.o.now().Timed(Publishing, time.Since(begun)) }()
	for _, step := range []func() error{u.content.Fill, u.setAttr, u.setOwner, u.beNew, u.sync, func() error { return u.check(ctx) }, u.publish} {
		if err := step(); err != nil {
			u.Abort()
			return vfs.Change{}, err
		}
	}
	late := u.d.sync()
	i, err := (&dirFile{File: u.stage.File, name: u.name}).stat()
	u.d.versions.note(i)
	if err := errors.Join(u.in.dropOlder(u.attempt), u.stage.settleName(), u.close()); err != nil {
		u.d.o.now().Log.Warn("after a file was published", "name", u.name, "err", err)
	}
	return vfs.Change{After: i.public(), Replaced: u.replaced}, uncertain("published", errors.Join(late, err))
}

// uncertain is the error of a change that was done to a file and could not be synced.
func uncertain(done string, err error) error {
	if err == nil {
		return nil
	}
	why := "the server's disk failed after the file was " + done + "; it is not known whether that lasts"
	return &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: err}
}

// commitAttr is the Commit of an upload into which nothing was written.
func (u *upload) commitAttr(ctx context.Context) (vfs.Info, error) {
	if !u.attr.HasMode && !u.attr.HasTimes {
		if u.o.Base != nil && dirfd.IsRemoved(u.base) {
			return u.d.Stat(ctx, u.name) // the upload that it was a draft of has been refused, or replaced
		}
		return (&dirFile{File: u.base, name: u.name}).Stat()
	}
	c, err := u.d.SetAttr(ctx, u.name, u.attr)
	return c.After, err
}

func (u *upload) setAttr() error {
	a := u.attr
	if !a.HasMode {
		a.HasMode, a.Mode = true, u.mode
	}
	const stageMode = 0o600
	_, err := setAttr(u.stage.File, stageMode, a)
	return err
}

func (u *upload) publish() error {
	u.stage.release()
	replace := !u.o.NoReplace && !(u.o.Create && u.o.Exclusive)
	was, err := u.d.keepOld(u.name, replace)
	defer was.end()
	if err != nil {
		return err
	}
	err = u.d.quota.Publishing(u.name, u.held, quota.CostOf(u.content.Size()), was, func() (err error) {
		u.replaced, err = u.d.publish(u.stage, u.name, replace, u.only, was)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return u.in.lose() // it is the stage that has gone
	}
	if err == nil {
		u.held = quota.Amount{}
		u.d.owners.published(u.owner, u.ownHeld, quota.CostOf(u.content.Size()))
		u.ownHeld = 0
	}
	return err
}

// Abort implements [vfs.Upload].
func (u *upload) Abort() error {
	if u.done {
		return nil
	}
	return errors.Join(u.stage.unlink(), u.close())
}

// Keep implements [vfs.Keeper]. A partial is kept where it can be resumed: nothing
// is published under the name, no write failed, and its client has not begun
// anew meanwhile.
func (u *upload) Keep() error {
	size := u.resumable()
	if u.done || size == 0 {
		return u.Abort()
	}
	if _, err := u.d.stat(u.name); err == nil {
		return u.Abort()
	}
	kept, err := u.stage.keep(u.attempt, size, u.held)
	if err != nil || !kept {
		return errors.Join(err, u.Abort())
	}
	u.held = quota.Amount{}
	return u.close()
}

// resumable is how much of the upload can be kept, in bytes: the beginning that
// was written without a gap, if it is worth it.
func (u *upload) resumable() int64 {
	size := u.content.Prefix()
	if !u.d.o.now().Partials.worth(u.o.Owner, size) {
		return 0
	}
	return size
}

// close ends the upload and gives back its descriptors and what it holds of limits.
func (u *upload) close() error {
	u.done = true
	u.in.attempts.end(u.attempt)
	u.giveBack()
	return u.content.Close()
}

// giveBack gives back what the upload holds of limits.
func (u *upload) giveBack() {
	u.d.quota.Hold(u.held, quota.Amount{}) // never refused
	u.held = quota.Amount{}
	u.d.owners.hold(u.owner, u.ownHeld, 0)
	u.ownHeld = 0
	if u.replaces != (fileID{}) {
		u.d.quota.ReturnCredit(u.replaces)
	}
}
