package sshd

import (
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
)

// command is what exec can be asked for. It returns the exit status.
type command func(*process) uint32

// commands are all there are. None runs a program: each is a function here that
// reaches files through [access.Session] alone.
func commands() map[string]command {
	all := map[string]command{"scp": (*process).scp}
	for _, a := range vfs.Algorithms() {
		all[a.Name+"sum"] = func(p *process) uint32 { return p.digests(a.Hash) }
	}
	return all
}

// process is one command under way.
type process struct {
	name    string
	args    []word
	access  *access.Session
	channel io.ReadWriter // stdin and stdout
	stderr  io.Writer
}

// shellQuestion is how rclone asks what shell there is; a POSIX shell answers as
// we do. rclone then looks whether md5sum and sha1sum work.
const shellQuestion, shellAnswer = "echo ${ShellId}%ComSpec%", "%ComSpec%\n"

// exec does what a command line asks for, if it is in the table.
func (s *session) exec(line string) uint32 {
	if line == shellQuestion {
		io.WriteString(s.channel, shellAnswer)
		return exitOK
	}
	words, err := splitWords(line)
	if err != nil {
		return s.refuse(line, err)
	}
	if len(words) > 0 {
		if do, ok := commands()[words[0].text]; ok {
			return s.run(do, words)
		}
	}
	return s.refuse(line, errors.New("it runs no programs, and knows scp, md5sum, sha1sum, sha256sum and sha512sum alone"))
}

// refuse says why nothing is done, and reports it: who looks for a shell is of
// interest.
func (s *session) refuse(line string, why error) uint32 {
	const most = 256 // bytes of the line that are reported
	e := s.conn.event(OpExec, time.Now(), why)
	e.Name = line[:min(len(line), most)]
	s.conn.config.Report(e)
	return s.apologize(why.Error(), exitNotFound)
}

// run runs a command, which counts as a session of the connection: the server
// waits for it when it stops.
func (s *session) run(do command, words []word) uint32 {
	c := s.conn
	files := access.New(s.ctx, c.options())
	c.addSession(files)
	defer c.removeSession(files)
	return do(&process{
		name: words[0].text, args: words[1:], access: files,
		channel: throttle(s.ctx, s.channel, c.service), stderr: s.channel.Stderr(),
	})
}

// complain says on stderr what went wrong with a name.
func (p *process) complain(name string, err error) {
	fmt.Fprintf(p.stderr, "%s: %s: %v\n", p.name, vfs.Printable(name), err)
}

// names are those a word stands for. A file that is called so wins over a
// pattern, and a pattern that nothing matches is a name.
func (p *process) names(w word) ([]string, error) {
	if !w.wild || p.access.Exists(w.text) {
		return []string{w.text}, nil
	}
	folder, _ := path.Split(w.text)
	if !access.IsRoot(folder) {
		return nil, errors.New("no such folder; the library has none")
	}
	names, err := p.access.Match(path.Base(w.pattern))
	if err == nil && len(names) == 0 {
		err = errors.New("no file matches")
	}
	for i := range names {
		names[i] = folder + names[i]
	}
	return names, err
}
