package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shelf/cmd/shelf/sftp"
)

// Sync uploads the files of a folder that the server has not, or not as they are
// here.
func (m *Mover) Sync(ctx context.Context, dir string) error {
	m.noLinks = true
	var files []string
	var out leftOut
	err := m.Persist(ctx, func() (err error) {
		files, out, err = m.outdated(ctx, dir)
		return err
	})
	if err != nil {
		return err
	}
	m.tell(dir, out)
	if !m.planned("put", files) {
		if _, err := m.Put(ctx, files, There{}); err != nil {
			return err
		}
	}
	return m.complete(out)
}

// Down downloads the files of the server's folder that are not in a folder here, or
// not as they are there.
func (m *Mover) Down(ctx context.Context, dir string) error {
	m.Force = true
	var files []string
	var out leftOut
	err := m.Persist(ctx, func() (err error) {
		files, out, err = m.missing(ctx, dir)
		return err
	})
	if err != nil {
		return err
	}
	m.tell(m.Server.Folder, out)
	if !m.planned("get", files) {
		if err := m.Get(ctx, files, Here{Folder: dir}); err != nil {
			return err
		}
	}
	return m.complete(out)
}

// planned tells what would be done, if only that is asked for or if that is nothing.
func (m *Mover) planned(command string, files []string) bool {
	if m.DryRun {
		for _, f := range files {
			m.UI.Sayf("would %s %s", command, f)
			m.UI.Event(nameEvent{"would " + command, f})
		}
		m.UI.Sayf("%s to %s", count(len(files)), command)
	} else if len(files) == 0 {
		m.UI.Sayf("all files are there already")
	}
	return m.DryRun || len(files) == 0
}

// outdated is the files of a folder that are to be uploaded.
func (m *Mover) outdated(ctx context.Context, dir string) (files []string, out leftOut, err error) {
	local, out, err := localFolder(dir)
	if err != nil {
		return nil, out, err
	}
	there, err := m.onServer(ctx)
	if err != nil {
		return nil, out, err
	}
	for _, info := range local {
		file := filepath.Join(dir, info.Name())
		a, ok := there[info.Name()]
		open := func() (*os.File, error) {
			f, _, err := openLocal(file, openNoLink)
			return f, err
		}
		if ok && m.same(ctx, info.Name(), a, info, open) {
			continue
		}
		if ctx.Err() != nil {
			return nil, out, context.Cause(ctx)
		}
		files = append(files, file)
	}
	return files, out, nil
}

// missing is the files of the server that are to be downloaded.
func (m *Mover) missing(ctx context.Context, dir string) (files []string, out leftOut, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, out, err
	}
	defer root.Close()
	all, err := m.Server.List(ctx, "")
	if err != nil {
		return nil, out, err
	}
	for _, e := range all {
		if !out.takes(e.Name, e.Directory(), e.Regular()) {
			continue
		}
		name := Here{}.name(e.Name)
		info, err := root.Lstat(name)
		open := func() (*os.File, error) { return root.Open(name) }
		if err == nil && info.Mode().IsRegular() && m.same(ctx, e.Name, e.Attrs, info, open) {
			continue
		}
		if ctx.Err() != nil {
			return nil, out, context.Cause(ctx)
		}
		files = append(files, e.Name)
	}
	return files, out, nil
}

// onServer is the files of the server, by name. An account that may not list them,
// as for a drop box, gets none.
func (m *Mover) onServer(ctx context.Context) (map[string]sftp.Attrs, error) {
	files, err := m.Server.List(ctx, "")
	if errors.Is(err, fs.ErrPermission) {
		m.UI.Warnf("The server does not list its files, so all files are put: %v", err)
		return nil, nil
	}
	there := make(map[string]sftp.Attrs, len(files))
	for _, e := range files {
		if e.Regular() {
			there[e.Name] = e.Attrs
		}
	}
	return there, err
}

// localFolder is the files in a folder that can be uploaded, and what is left out.
func localFolder(dir string) (files []fs.FileInfo, out leftOut, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, out, fmt.Errorf("%s: %w", dir, reason(err))
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && out.takes(info.Name(), info.IsDir(), info.Mode().IsRegular()) {
			files = append(files, info)
		}
	}
	return files, out, nil
}
