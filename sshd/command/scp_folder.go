package command

import (
	"errors"
	"io"
)

// refuseFolder answers a D record: the library has no folders.
//
// What belongs to the folder must not become files of the library. A client that
// waits for the answer skips the folder. Its next record, if it copies several
// things (-d), is about the next of them. Any other client is still in the folder
// with what it sends, up to the folder's E record.
func (c *scpConn) refuseFolder() error {
	waited := c.in.Buffered() == 0
	err := c.tell(scpError, "", errors.New("the library has no folders; copy the files in it instead"))
	if err != nil || c.flags.folder && waited {
		return err
	}
	return c.skipFolder()
}

// skipFolder takes the records of a refused folder, up to its E record, and drops
// them. It refuses each file only after its content, so that it keeps in step with
// a client whether that listens or not.
func (c *scpConn) skipFolder() error {
	for depth := 1; depth > 0; {
		line, err := c.line()
		switch {
		case errors.Is(err, io.EOF):
			return nil // the next record will be the end, too
		case err != nil:
			return err
		case line == "":
			return errScpRecord
		}
		switch line[0] {
		case 'C':
			err = c.skipFile(line[1:])
		case 'D':
			depth++
			err = c.accept()
		case 'E':
			depth--
			err = c.accept()
		case 'T':
			err = c.accept()
		case scpError:
		case scpFatal:
			err = errClientGaveUp
		default:
			err = errScpRecord
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skipFile drops the file of a C record in a folder.
func (c *scpConn) skipFile(record string) error {
	_, size, name, err := parseScpFile(record)
	if err != nil {
		return err
	}
	if err := c.accept(); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, c.in, size); err != nil {
		return err
	}
	if _, err := c.answer(); err != nil {
		return err
	}
	return c.tell(scpError, name, errors.New("it is in a folder, and the library has no folders"))
}
