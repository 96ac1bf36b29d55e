package sftp

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// OldVersion is what a server keeps of a file that was replaced or removed.
type OldVersion struct {
	ID       string
	Size     int64
	Modified time.Time
}

// Versions lists the old versions of a file, the newest first, whether the file is
// there or not. Only Shelf has them.
func (c *Client) Versions(ctx context.Context, path string) (all []OldVersion, err error) {
	text, err := c.run(ctx, "versions", path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		v, err := parseVersion(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func parseVersion(line string) (v OldVersion, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 || fields[0] == "" {
		return v, errors.New("the server's list of versions can't be read")
	}
	v.ID = fields[0]
	v.Size, err = strconv.ParseInt(fields[1], 10, 64)
	if err == nil {
		v.Modified, err = time.Parse(time.RFC3339, fields[2])
	}
	if err != nil || v.Size < 0 {
		return v, errors.New("the server's list of versions can't be read")
	}
	return v, nil
}

// Restore has a file be one of its old versions again. What is there now becomes one.
func (c *Client) Restore(ctx context.Context, path, id string) error {
	_, err := c.run(ctx, "restore", path, id)
	return err
}

// maxAnswer is the longest answer that is read, in bytes: of some 20,000 versions.
const maxAnswer = 1 << 20

// run runs a command of Shelf and returns what it prints. If it fails, the error is
// what it says.
func (c *Client) run(ctx context.Context, name string, arguments ...string) (string, error) {
	if !c.Stages {
		return "", errors.New("this server keeps no old versions: it is not Shelf")
	}
	if c.timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, c.timeout)
		defer stop()
	}
	command := name + " --"
	for _, a := range arguments {
		command += " " + shellQuote(a)
	}
	return orDone(ctx, func() (string, error) {
		s, err := c.NewSession()
		if err != nil {
			return "", err
		}
		defer s.Close()
		defer context.AfterFunc(ctx, func() { s.Close() })()
		out, said := &head{most: maxAnswer}, &head{most: 4096}
		s.Stdout, s.Stderr = out, io.Writer(said)
		err = s.Run(command)
		if exit := (*ssh.ExitError)(nil); errors.As(err, &exit) {
			return "", refused(name, arguments[0], said.text.String())
		}
		if err == nil && out.text.Len() == maxAnswer {
			err = errors.New("the server's answer is too long")
		}
		return out.text.String(), err
	})
}

// refused is why a command failed, without what it puts before that.
func refused(name, path, said string) error {
	said = strings.TrimSpace(said)
	said = strings.TrimPrefix(said, name+": ")
	for _, p := range []string{path, strconv.Quote(path)} {
		said = strings.TrimPrefix(said, p+": ")
	}
	if said == "" {
		said = "the server failed"
	}
	return errors.New(said)
}
