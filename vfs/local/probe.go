package local

import (
	"errors"
	"fmt"
	"os"
)

// Probe tells whether a directory could be a library, and does not take it:
// whether files can be made in it, synced and renamed.
func Probe(path string) (err error) {
	f, err := os.CreateTemp(path, ".shelf-probe-*")
	if err != nil {
		return fmt.Errorf("library %s: make a file: %w", path, err)
	}
	renamed := f.Name() + "-renamed"
	defer func() {
		if err != nil {
			err = fmt.Errorf("library %s: %w", path, err)
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(f.Name(), renamed), os.Remove(renamed)); err != nil {
		return err
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
