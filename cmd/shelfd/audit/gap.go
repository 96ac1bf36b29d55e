package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"shelf/vfs"
)

// Gap is what a log may lack, since the server that wrote it did not end as it
// should: a line is written after its file was published.
type Gap struct {
	Since time.Time // what was published before has its line
	Until time.Time // the log was looked at then

	versions map[string]bool      // that were given a line
	told     map[string]time.Time // when a line last told of a name
	accounts map[string][]string  // that used a library, by its name; by "" those that have logged in
}

const (
	// slack is how much older than the last line of a client a file may be that has
	// none. A line is written as soon as the name is on disk; a disk may hang, and
	// the clock of a file server may be another one.
	slack = 10 * time.Minute

	opLogin = "login" // its line names no library

	// maxGap is how much of a log is looked at, in bytes.
	maxGap = 16 << 20
)

// FindGap looks at the end of the log of a path. It is nil if the last server ended
// as it should, and if there is no log.
func FindGap(path string) (*Gap, error) {
	g := &Gap{Until: time.Now(), versions: make(map[string]bool), told: make(map[string]time.Time), accounts: make(map[string][]string)}
	if lines, _, err := linesAtEnd(path, 2*maxLine); err == nil && len(lines) > 0 && endsWell(lines) {
		return nil, nil
	}
	lines, err := lastLines(path)
	if err != nil || endsWell(lines) {
		return nil, err
	}
	for _, l := range slices.Backward(lines[:looked(lines)]) {
		if l.Conn != "" {
			g.Since = l.Time.Add(-slack)
			break
		}
	}
	if first := lines[0].Time.Time; g.Since.Before(first) {
		g.Since = first
	}
	for _, l := range lines {
		g.note(l)
	}
	return g, nil
}

// endsWell tells whether the last line but for checkpoints is that of a stop, of a server
// that has left no gap of a server before it.
func endsWell(lines []Line) bool {
	for _, l := range slices.Backward(lines) {
		if l.Op != OpCheckpoint {
			return l.Op == OpStop && !l.leavesGap()
		}
	}
	return true
}

// leavesGap tells whether a line is that of a stop before all was looked at that a
// crash had left.
func (l Line) leavesGap() bool { return l.Op == OpStop && l.Result != vfs.ResultOK }

// looked is how many lines there were when the gap began: servers that were stopped
// before they had looked for what it lacks do not end it.
func looked(lines []Line) int {
	n, open := len(lines), false
	for i, l := range slices.Backward(lines) {
		switch {
		case l.leavesGap():
			open = true
		case l.Op == OpStart && !open:
			return n
		case l.Op == OpStart:
			n, open = i, false
		}
	}
	return n
}

// note notes what a line tells of.
func (g *Gap) note(l Line) {
	used := l.Library != "" || l.Op == opLogin && l.Result == vfs.ResultOK // else anybody may have named any account
	if l.Account != "" && used && !slices.Contains(g.accounts[l.Library], l.Account) {
		g.accounts[l.Library] = append(g.accounts[l.Library], l.Account)
	}
	name := l.Name
	switch {
	case l.Result != vfs.ResultOK || l.Version == "":
		return
	case l.Op == OpRename:
		name = l.Target
	case !slices.Contains([]string{OpPut, OpRecovered, "setstat", "restore"}, l.Op):
		return // it tells of a file that was there
	}
	g.versions[l.Version] = true
	for _, account := range []string{"", l.Account} {
		g.told[l.Library+"\x00"+account+"\x00"+name] = l.Time.Time
	}
}

// Lacks tells whether a file has no line, that was published at a time. account is
// whose library it is, if each account has one by that name.
//
// Its version may look another one than it did: after a boot the disk may have another
// number. But a line that is younger than the file tells of it, or of what came after.
func (g *Gap) Lacks(library, account, name, version string, at time.Time) bool {
	const precision = time.Millisecond // of the time of a line
	if g.versions[version] || at.Before(g.Since) || at.After(g.Until) {
		return false
	}
	told, ok := g.told[library+"\x00"+vfs.Escape(account)+"\x00"+vfs.Escape(name)]
	return !ok || at.After(told.Add(precision))
}

// Accounts are those that used a library at the end of the log, or may have: they have
// logged in.
func (g *Gap) Accounts(library string) []string {
	all := slices.Concat(g.accounts[library], g.accounts[""])
	slices.Sort(all)
	return slices.Compact(all)
}

// Recovered is the line of a file whose own line is missing.
func (l *Log) Recovered(library, account string, i vfs.Info) {
	size := i.Size
	seq, err := l.write(Line{
		Op: OpRecovered, Result: vfs.ResultOK, Account: vfs.Escape(account), Library: library, Name: vfs.Escape(i.Name),
		Size: &size, Version: i.Version.String(),
		Note: "it was there without a line when the server started: the server was ended before it wrote one, or another program changed the file",
	})
	if err == nil {
		l.sync(seq)
	}
}

// lastLines are the last lines of a log, those of its file and of the ones that were
// renamed to make room for it, up to maxGap bytes and to the slack before the last, or further
// if a gap was left.
func lastLines(path string) (lines []Line, err error) {
	left := int64(maxGap)
	for _, file := range Files(path) {
		if left <= 0 || strings.HasSuffix(file, ".gz") || len(lines) > 0 && lines[len(lines)-1].Time.Sub(lines[0].Time.Time) > 2*slack && !slices.ContainsFunc(lines, Line.leavesGap) {
			break
		}
		before, read, err := linesAtEnd(file, left)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if len(lines) > 0 && len(before) > 0 && before[len(before)-1].Seq >= lines[0].Seq {
			break // another log, or one that was there before
		}
		lines, left = append(before, lines...), left-read
	}
	return lines, nil
}

// linesAtEnd are the lines in the last bytes of a file.
func linesAtEnd(file string, most int64) (lines []Line, read int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	read = min(info.Size(), most)
	in := bufio.NewReaderSize(io.NewSectionReader(f, info.Size()-read, read), maxLine)
	if read < info.Size() {
		in.ReadSlice('\n') // the end of a line
	}
	for {
		text, err := in.ReadSlice('\n')
		if err != nil {
			return lines, read, nil // what is left is no line
		}
		var l Line
		if json.Unmarshal(bytes.TrimSuffix(text, []byte("\n")), &l) == nil && l.Seq > 0 {
			lines = append(lines, l)
		}
	}
}
