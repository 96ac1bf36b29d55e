package audit

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Query says which lines are wanted. What is left out does not matter.
type Query struct {
	Account, Library, Conn string
	Name                   string // pattern of [path.Match], of the name or the new name
	Key                    string // fingerprint, or how it begins; or the id of a certificate
	Source                 netip.Prefix
	Ops, Results           []string
	Since, Until           time.Time // from the first on, before the second
}

// Match tells whether a line is wanted.
func (q Query) Match(l Line) bool {
	return is(q.Account, l.Account) && is(q.Library, l.Library) && is(q.Conn, l.Conn) &&
		(len(q.Ops) == 0 || slices.Contains(q.Ops, l.Op)) && (len(q.Results) == 0 || slices.Contains(q.Results, l.Result)) &&
		(q.Since.IsZero() || !l.Time.Before(q.Since)) && (q.Until.IsZero() || l.Time.Before(q.Until)) &&
		(q.Name == "" || named(q.Name, l.Name) || l.Target != "" && named(q.Name, l.Target)) &&
		(q.Key == "" || l.hasKey(q.Key)) && (!q.Source.IsValid() || l.isFrom(q.Source))
}

func is(wanted, value string) bool { return wanted == "" || wanted == value }

func named(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name
}

func (l Line) hasKey(key string) bool {
	return l.Key != "" && strings.HasPrefix(strings.TrimPrefix(l.Key, "SHA256:"), strings.TrimPrefix(key, "SHA256:")) ||
		l.Cert != nil && l.Cert.ID == key
}

func (l Line) isFrom(network netip.Prefix) bool {
	if address, err := netip.ParseAddrPort(l.Source); err == nil {
		return network.Contains(address.Addr().Unmap().WithZone(""))
	}
	address, err := netip.ParseAddr(l.Source)
	return err == nil && network.Contains(address.Unmap())
}

// Entry is a line as it was read.
type Entry struct {
	Line
	Text   []byte // without its newline; good until the next one is read
	File   string
	Number int // of the line in the file
}

// maxRead is the longest line that is read, in bytes.
const maxRead = 1 << 20

// Read reads the lines of a file in order; "-" is stdin, and a file whose name ends
// in ".gz" is unpacked. An error that is a [BadLine] is not the last.
func Read(file string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in, err := openLog(file)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxRead)
		for number := 1; lines.Scan(); number++ {
			if len(lines.Bytes()) == 0 {
				continue
			}
			e := Entry{Text: lines.Bytes(), File: file, Number: number}
			var bad error
			if err := json.Unmarshal(e.Text, &e.Line); err != nil || e.Op == "" {
				bad = BadLine{file, number}
			}
			if !yield(e, bad) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Entry{}, fmt.Errorf("%s: %w", file, err))
		}
	}
}

// BadLine is a line that is none of an audit log.
type BadLine struct {
	File   string
	Number int
}

func (b BadLine) Error() string {
	return fmt.Sprintf("%s:%d: this is no line of an audit log", b.File, b.Number)
}

func openLog(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(file)
	if err != nil || !strings.HasSuffix(file, ".gz") {
		return f, err
	}
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file, err), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{unpacked, f}, nil
}

// InOrder sorts files by the times and numbers of their first lines. One that cannot
// be read comes first.
func InOrder(files []string) []string {
	first := make(map[string]Line)
	for _, file := range files {
		if file == "-" {
			continue
		}
		for e, err := range Read(file) {
			if err == nil {
				first[file] = e.Line
				break
			}
		}
	}
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b string) int {
		x, y := first[a], first[b]
		return cmp.Or(x.Time.Compare(y.Time.Time), cmp.Compare(x.Seq, y.Seq))
	})
	return sorted
}
