package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Host is a line of a file of known hosts that has a key.
type Host struct {
	Names   string // with commas; "" is that they are hashed
	File    string
	Line    int
	Revoked bool
}

// String is how the line calls the host.
func (h Host) String() string {
	if h.Names == "" {
		return fmt.Sprintf("the host of line %d of %s", h.Line, h.File)
	}
	return h.Names
}

// Hosts are those that have a key, by files of known hosts, of which some may not be
// there. A line of an authority is none of a host.
func Hosts(key ssh.PublicKey, files []string) (found []Host, err error) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for n, line := range lines(text) {
			marker, names, known, _, _, err := ssh.ParseKnownHosts(line)
			if err != nil || marker == "cert-authority" || !bytes.Equal(known.Marshal(), key.Marshal()) {
				continue
			}
			h := Host{Names: strings.Join(names, ","), File: file, Line: n + 1, Revoked: marker == "revoked"}
			if strings.HasPrefix(h.Names, "|") {
				h.Names = ""
			}
			found = append(found, h)
		}
	}
	return found, nil
}
