package migrate

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"

	"shelf/vfs"
)

// one copies one file if it is not there, and tells what became of it.
func (m *mover) one(ctx context.Context, name string) {
	if ctx.Err() != nil {
		return
	}
	for tries := 1; ; tries++ {
		what, size, err := m.file(ctx, name)
		if errors.Is(err, errChanged) && tries < 3 {
			continue
		}
		if err != nil && ctx.Err() != nil {
			return
		}
		m.report.count(what, name, size, err)
		return
	}
}

// errChanged is that a file is not what it was when it was looked at.
var errChanged = errors.New("it is changed all the time; run the command again when it is not")

// errTaken is that a client has put a file into TO while one was copied.
var errTaken = errors.New("another file of that name was put into TO meanwhile; run the command again")

// still tells whether TO has what is about to be replaced, or nothing any more.
func (m *mover) still(ctx context.Context, over *vfs.Info) error {
	if over == nil {
		return nil
	}
	now, err := m.to.Stat(ctx, over.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at what TO has: %w", err)
	case now.Version != over.Version:
		return errTaken
	}
	return nil
}

func (m *mover) file(ctx context.Context, name string) (what outcome, size int64, err error) {
	source, err := m.from.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return gone, 0, nil
	}
	if err != nil {
		return failed, 0, fmt.Errorf("open it: %w", err)
	}
	defer source.Close()
	is, err := source.Stat()
	if err != nil {
		return failed, 0, fmt.Errorf("look at it: %w", err)
	}
	there, err := m.to.Stat(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = m.publish(ctx, source, is, nil)
		return copied, is.Size, err
	case err != nil:
		return failed, 0, fmt.Errorf("look whether TO has it: %w", err)
	}
	return m.over(ctx, source, is, there)
}

// over is what becomes of a file that TO has already.
func (m *mover) over(ctx context.Context, source vfs.File, is, there vfs.Info) (what outcome, size int64, err error) {
	ours, same := m.known.has(is, there)
	if same {
		return asItWas, is.Size, nil
	}
	equal, err := m.equal(ctx, source, is, there)
	switch {
	case err != nil:
		return failed, 0, err
	case equal:
		return asItWas, is.Size, m.dress(ctx, is, there)
	case !ours && !m.replace:
		return another, is.Size, nil
	}
	return copied, is.Size, m.publish(ctx, source, is, &there)
}

// equal tells whether both files have the same content.
func (m *mover) equal(ctx context.Context, source vfs.File, is, there vfs.Info) (bool, error) {
	if is.Size != there.Size {
		return false, nil
	}
	mine, err := vfs.ReadDigest(ctx, source, crypto.SHA256)
	if err != nil {
		return false, fmt.Errorf("read it: %w", err)
	}
	theirs, err := m.digest(ctx, is.Name)
	return bytes.Equal(mine, theirs), err
}

// digest reads what TO has.
func (m *mover) digest(ctx context.Context, name string) ([]byte, error) {
	f, err := m.to.Open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open what TO has: %w", err)
	}
	defer f.Close()
	sum, err := vfs.ReadDigest(ctx, f, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("read what TO has: %w", err)
	}
	return sum, nil
}

// dress gives what TO has the mode and time of the file.
func (m *mover) dress(ctx context.Context, is, there vfs.Info) error {
	if m.dry {
		return nil
	}
	if is.Mode != there.Mode || is.ModTime.Unix() != there.ModTime.Unix() {
		c, err := m.to.SetAttr(ctx, is.Name, attributesOf(is))
		if err != nil {
			return fmt.Errorf("set its mode and time: %w", err)
		}
		if c.Before.Version != there.Version {
			return errTaken
		}
		there = c.After
	}
	return m.known.done(is, there)
}

func attributesOf(is vfs.Info) vfs.Attr {
	return vfs.Attr{HasMode: true, Mode: is.Mode, HasTimes: true, Atime: is.ModTime, Mtime: is.ModTime}
}

// publish copies a file, and reads it back. over is what it replaces; nil is nothing.
func (m *mover) publish(ctx context.Context, source vfs.File, is vfs.Info, over *vfs.Info) error {
	if m.dry {
		return nil
	}
	if is.Size >= largeFrom {
		m.large.Lock()
		defer m.large.Unlock()
	}
	sum, err := m.copy(ctx, source, is, over)
	if err != nil && !errors.Is(err, vfs.ErrUncertain) {
		return err
	}
	// What is noted is looked at before it is read: what another puts there then is not
	// taken for ours.
	there, failed := m.to.Stat(ctx, is.Name)
	if failed != nil {
		return errors.Join(err, fmt.Errorf("look at what TO has: %w", failed))
	}
	if theirs, failed := m.digest(ctx, is.Name); failed != nil {
		return errors.Join(err, failed)
	} else if !bytes.Equal(sum, theirs) {
		return errors.Join(err, errors.New("what TO has is not what was sent; run the command again"))
	}
	// After an uncertain answer it may lack its mode and time.
	if err := m.dress(ctx, is, there); err != nil {
		return err
	}
	// Was it one version that was read, and is it the one of now?
	now, err := m.from.Stat(ctx, is.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && now.Version != is.Version:
		return errChanged
	}
	return err
}
