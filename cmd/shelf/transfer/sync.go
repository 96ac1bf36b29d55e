package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shelf/cmd/shelf/sftp"
)

// Sync uploads the files of a folder that the server has not, or not as they are
// here.
func (m *Mover) Sync(ctx context.Context, dir string) error {
	m.noLinks = true
	files, err := m.outdated(ctx, dir)
	if err != nil {
		return err
	}
	if m.DryRun {
		for _, f := range files {
			m.UI.Sayf("would put %s", f)
			m.UI.Event(nameEvent{"would put", f})
		}
		m.UI.Sayf("%s to put", count(len(files)))
		return nil
	}
	if len(files) == 0 {
		m.UI.Sayf("all files are there already")
		return nil
	}
	_, err = m.Put(ctx, files)
	return err
}

// outdated is the files of a folder that are to be uploaded.
func (m *Mover) outdated(ctx context.Context, dir string) (files []string, err error) {
	local, special, err := localFolder(dir)
	if err != nil {
		return nil, err
	}
	if len(special) > 0 && !m.Quiet {
		m.UI.Warnf("Left out of %s, because they are links or not files: %s", dir, someOf(special))
	}
	there, err := m.onServer(ctx)
	if err != nil {
		return nil, err
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
			return nil, context.Cause(ctx)
		}
		files = append(files, file)
	}
	return files, nil
}

// onServer is the files of the server, by name. An account that may not list them,
// as for a drop box, gets none.
func (m *Mover) onServer(ctx context.Context) (map[string]sftp.Attrs, error) {
	files, err := m.Server.Files(ctx)
	if errors.Is(err, fs.ErrPermission) {
		m.UI.Warnf("The server does not list its files, so all files are put: %v", err)
		return nil, nil
	}
	there := make(map[string]sftp.Attrs, len(files))
	for _, e := range files {
		there[e.Name] = e.Attrs
	}
	return there, err
}

// localFolder is the files in a folder that can be uploaded, and the names of others
// that a person may expect: not hidden, not a folder, but not a regular file.
func localFolder(dir string) (files []fs.FileInfo, special []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, reason(err))
	}
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || info.IsDir() || strings.HasPrefix(info.Name(), "."):
		case info.Mode().IsRegular():
			files = append(files, info)
		default:
			special = append(special, info.Name())
		}
	}
	return files, special, nil
}

// someOf names a few, and tells how many more there are.
func someOf(names []string) string {
	const few = 10
	text := strings.Join(names[:min(few, len(names))], ", ")
	if more := len(names) - few; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}
