package command

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"
)

// versions prints the old versions of a file, a line each, the newest first: its id,
// its bytes, and when the file was last modified, with tabs between them.
func versions(p *process) (status uint32) {
	names, err := p.plain()
	if err == nil && len(names) != 1 {
		err = errors.New("name one file: versions NAME")
	}
	if err != nil {
		return p.fail(err)
	}
	all, err := p.Access.Versions(names[0])
	if err != nil {
		p.complain(names[0], err)
		return exitFailure
	}
	out := bufio.NewWriter(p.Channel)
	for _, v := range all {
		fmt.Fprintf(out, "%s\t%d\t%s\n", v.ID, v.Size, v.ModTime.UTC().Format(time.RFC3339))
	}
	if out.Flush() != nil {
		return exitFailure
	}
	return exitOK
}

// restore publishes an old version of a file. It prints nothing when that is done, as
// cp does.
func restore(p *process) (status uint32) {
	names, err := p.plain()
	if err == nil && len(names) != 2 {
		err = errors.New("name a file and one of its versions: restore NAME VERSION; the command versions lists them")
	}
	if err != nil {
		return p.fail(err)
	}
	if _, err := p.Access.Restore(names[0], names[1]); err != nil {
		p.complain(names[0], err)
		return exitFailure
	}
	return exitOK
}

// plain are the arguments of a command that has no flags. "--" ends them.
func (p *process) plain() (texts []string, err error) {
	flags := true
	for _, a := range p.arguments {
		switch {
		case flags && a.text == "--":
			flags = false
		case flags && strings.HasPrefix(a.text, "-"):
			return nil, unknownFlag(a.text)
		default:
			texts = append(texts, a.text)
		}
	}
	return texts, nil
}
