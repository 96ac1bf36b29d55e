package command

import (
	"bufio"
	"crypto"
	_ "crypto/md5" // these make crypto.Hash work
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"

	"shelf/vfs"
)

// digest is md5sum and the like, with the output of coreutils.
func digest(algorithm crypto.Hash) func(*process) uint32 {
	return func(p *process) (status uint32) {
		mark, files, err := parseDigestFlags(p.arguments)
		switch {
		case err != nil:
			return p.fail(err)
		case len(files) == 0:
			return p.digestStdin(algorithm, mark)
		}
		return p.digestFiles(algorithm, mark, files)
	}
}

// parseDigestFlags separates flags from files. The output has mark before each
// file name, as coreutils has; it makes no difference to how a file is read.
func parseDigestFlags(arguments []argument) (mark byte, files []argument, err error) {
	mark = ' '
	for i, a := range arguments {
		switch a.text {
		case "--":
			return mark, append(files, arguments[i+1:]...), nil
		case "-b", "--binary":
			mark = '*'
		case "-t", "--text":
			mark = ' '
		default:
			if strings.HasPrefix(a.text, "-") {
				return mark, nil, unknownFlag(a.text)
			}
			files = append(files, a)
		}
	}
	return mark, files, nil
}

// unknownFlag is the error for a flag that a command does not have here.
func unknownFlag(flag string) error {
	return fmt.Errorf("the flag %s is not supported here", vfs.Printable(flag))
}

// digestFiles prints a line for each file as soon as it is read. It stops when the
// client is gone: it may have asked for thousands of patterns.
func (p *process) digestFiles(algorithm crypto.Hash, mark byte, files []argument) (status uint32) {
	out := bufio.NewWriter(p.Channel)
	status = exitOK
	for _, a := range files {
		if p.digestArgument(algorithm, mark, a, out) != nil {
			status = exitFailure
		}
		if p.Access.Gone() {
			break
		}
	}
	return status
}

// digestArgument prints the lines of the files that an argument names. The error is
// the last of those that it has printed.
func (p *process) digestArgument(algorithm crypto.Hash, mark byte, a argument, out *bufio.Writer) (failed error) {
	defer p.forget(p.kept)
	names, failed := p.expand(a)
	if failed != nil {
		p.complain(a.text, failed)
	}
	for _, name := range names {
		if p.Access.Gone() {
			return failed
		}
		sum, err := p.Access.Digest(name, algorithm)
		if err != nil {
			p.complain(name, err)
			failed = err
			continue
		}
		out.WriteString(digestLine(sum, mark, name))
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return failed
}

// digestStdin prints the digest of an empty stdin: rclone runs md5sum without a
// file to see whether it works. Any other input is refused, since the commands
// are only for files in the library.
func (p *process) digestStdin(algorithm crypto.Hash, mark byte) (status uint32) {
	if _, err := io.ReadFull(p.Channel, make([]byte, 1)); !errors.Is(err, io.EOF) {
		return p.fail(errors.New("only files in the library can be read, not stdin; name a file"))
	}
	io.WriteString(p.Channel, digestLine(algorithm.New().Sum(nil), mark, "-"))
	return exitOK
}

// digestLine is a line of output. As in coreutils, a name with a backslash or a
// line break is escaped, and a backslash at the start of the line says so.
func digestLine(sum []byte, mark byte, name string) string {
	escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	prefix := ""
	if escaped != name {
		prefix = `\`
	}
	return fmt.Sprintf("%s%x %c%s\n", prefix, sum, mark, escaped)
}
