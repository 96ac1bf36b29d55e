package install

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"

	"shelf/keys"
)

// question is one that init asks. What is set is the answer if nothing is typed.
type question struct {
	text  string
	is    *string
	check func(string) error
}

// ask asks one question after the other. A wrong answer is asked again.
func ask(in io.Reader, out io.Writer, all []question) error {
	lines := bufio.NewScanner(in)
	for _, q := range all {
		for {
			fmt.Fprintf(out, "%s [%s]: ", q.text, *q.is)
			if !lines.Scan() {
				return fmt.Errorf("no answer to: %s", q.text)
			}
			answer := strings.TrimSpace(lines.Text())
			if answer == "" {
				answer = *q.is
			}
			err := q.check(answer)
			if err == nil {
				*q.is = answer
				break
			}
			fmt.Fprintf(out, "  %v\n", err)
		}
	}
	return nil
}

func checkLibrary(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", path)
	}
	if filepath.Dir(filepath.Clean(path)) == "/" && path != "/library" {
		return fmt.Errorf("%s is a folder of the system; name one below it", path)
	}
	return nil
}

func checkListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address such as :2222 or 192.0.2.1:2222", address)
	}
	if host != "" && net.ParseIP(host) == nil {
		return fmt.Errorf("%q is no IP address", host)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

func checkAccount(name string) error { return keys.CheckFileName(name) }
