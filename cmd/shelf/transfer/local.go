package transfer

import (
	"errors"
	"io/fs"
	"os"
)

// openLocal opens a regular file, with further flags of open(2). It looks at the
// file after it is open, so that nobody can replace it in between. Opening a FIFO
// does not wait for a writer.
func openLocal(file string, flags int) (*os.File, fs.FileInfo, error) {
	local, err := os.OpenFile(file, os.O_RDONLY|openNoWait|flags, 0)
	if err != nil {
		return nil, nil, reason(err)
	}
	info, err := local.Stat()
	switch {
	case err != nil:
		err = reason(err)
	case info.IsDir():
		err = errors.New("this is a folder; put takes files, and sync uploads the files in a folder")
	case !info.Mode().IsRegular():
		err = errors.New("this is not a regular file, and only those can be uploaded")
	}
	if err != nil {
		local.Close()
		return nil, nil, err
	}
	return local, info, nil
}

// flags is the flags of openLocal for an upload.
func (o Options) flags() int {
	if o.noLinks {
		return openNoLink
	}
	return 0
}

// reason is the error of a file without its path, which is printed before it.
func reason(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
