package sshd

import (
	"errors"
	"time"

	"shelf/sshd/command"
	"shelf/vfs/access"
)

// exec runs the command line of an "exec" request and returns its exit status.
// A server that stops waits for it.
func (s *session) exec(line string) uint32 {
	c := s.conn
	if c.identity.SFTPOnly {
		return s.refuse(line, errors.New("your key may run no command, only sftp"))
	}
	files := access.New(s.ctx, c.options())
	defer files.End()
	defer s.run(files)()
	defer s.settle()
	status, err := command.Run(command.Call{
		Line: line, Access: files,
		Channel: throttle(s.ctx, c.steady.Channel(s.channel), c.served()), Stderr: s.stderr(),
		Lost: c.lost.Load, Share: c.pass.share,
	})
	if err != nil {
		return s.refuse(line, err)
	}
	return status
}

// refuse tells the client why a command line is not run. It also reports it: an
// operator wants to know who tried to get a shell.
func (s *session) refuse(line string, why error) uint32 {
	e := s.conn.event(OpExec, time.Now(), why)
	e.Name = line
	s.conn.report(e)
	return s.apologize(why.Error(), exitNotFound)
}
