package sshd

import (
	"bufio"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"

	"shelf/vfs"
)

// digests is md5sum and its like, as coreutils has them.
func (p *process) digests(algorithm crypto.Hash) uint32 {
	mark, args, err := digestOptions(p.args)
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
		return exitFailure
	}
	if len(args) == 0 {
		return p.digestNothing(algorithm, mark)
	}
	out := bufio.NewWriter(p.channel)
	status := uint32(exitOK)
	for _, w := range args {
		names, err := p.names(w)
		if err != nil {
			p.complain(w.text, err)
			status = exitFailure
		}
		for _, name := range names {
			sum, err := p.access.Digest(name, algorithm)
			if err == nil {
				out.WriteString(digestLine(sum, mark, name))
				err = out.Flush()
			} else {
				p.complain(name, err)
			}
			if err != nil {
				status = exitFailure
			}
		}
	}
	return status
}

// digestOptions reads what comes before names; mark is what the output has
// before each, which tells nothing: files are read as they are either way.
func digestOptions(args []word) (mark byte, names []word, err error) {
	mark = ' '
	for i, w := range args {
		switch w.text {
		case "--":
			return mark, append(names, args[i+1:]...), nil
		case "-b", "--binary":
			mark = '*'
		case "-t", "--text":
			mark = ' '
		default:
			if strings.HasPrefix(w.text, "-") {
				return mark, nil, fmt.Errorf("there is no option %s here", vfs.Printable(w.text))
			}
			names = append(names, w)
		}
	}
	return mark, names, nil
}

// digestNothing is the digest of what is on stdin, which must be nothing: that
// is how rclone asks whether the command works.
func (p *process) digestNothing(algorithm crypto.Hash, mark byte) uint32 {
	if _, err := io.ReadFull(p.channel, make([]byte, 1)); !errors.Is(err, io.EOF) {
		fmt.Fprintf(p.stderr, "%s: there is no digest of other input than files; name one\n", p.name)
		return exitFailure
	}
	io.WriteString(p.channel, digestLine(algorithm.New().Sum(nil), mark, "-"))
	return exitOK
}

// digestLine is a line of coreutils' output. A name that has a backslash or the
// end of a line in it is escaped, which a backslash at the beginning tells.
func digestLine(sum []byte, mark byte, name string) string {
	escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	flag := ""
	if escaped != name {
		flag = `\`
	}
	return fmt.Sprintf("%s%x %c%s\n", flag, sum, mark, escaped)
}
