package local

import (
	"encoding/binary"
	"io"
	"os"

	"shelf/vfs"
)

// renameLog has the names that renames have made lately, in all instances: a listing
// under way may have passed them already. It is kept in the file of the lock that is
// held for a rename (stages.names): a number that counts renames, and then as many
// names as a listing remembers, the latest in the place of the oldest.
type renameLog struct{ file *os.File }

// maxRenamed is how many names are kept. If there are more while a listing is under
// way it is as exact as readdir(3).
const maxRenamed = 256

const (
	logHead   = 8               // bytes: the number
	logRecord = 2 + vfs.MaxName // bytes: whether it replaced a file, the length, the name
)

func placeOf(number uint64) int64 { return logHead + int64(number%maxRenamed)*logRecord }

// count is how many renames there have been.
func (l renameLog) count() (uint64, error) {
	var b [logHead]byte
	if _, err := l.file.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// tell is called before a rename gives a file a name; replaced is whether the
// name stands for another file, which then was there all the time. The lock is held.
func (l renameLog) tell(name string, replaced bool) error {
	n, err := l.count()
	if err != nil {
		return vfs.SystemError("note a rename", err)
	}
	record := append([]byte{0, byte(len(name))}, name...)
	if replaced {
		record[0] = 1
	}
	if _, err = l.file.WriteAt(record, placeOf(n)); err == nil {
		_, err = l.file.WriteAt(binary.LittleEndian.AppendUint64(nil, n+1), 0)
	}
	return vfs.SystemError("note a rename", err)
}

// follow is what a listing begins with; the lock is held.
func (l renameLog) follow() (*renamed, error) {
	n, err := l.count()
	return &renamed{log: l, next: n}, vfs.SystemError("follow the renames", err)
}

// renamed is what one listing knows of renames since it began.
type renamed struct {
	log   renameLog
	next  uint64          // the number of the first that it does not know yet
	names map[string]bool // nil until there is one; true if there is no need to look
}

// catchUp reads what others have told meanwhile. It does so when a part of the folder
// was read and before that is looked at.
func (f *renamed) catchUp() error {
	for {
		n, err := f.log.count()
		if err != nil || n <= f.next {
			return err
		}
		if n-f.next > maxRenamed {
			f.next = n - maxRenamed
		}
		record := make([]byte, logRecord)
		if _, err := f.log.file.ReadAt(record, placeOf(f.next)); err != nil && err != io.EOF {
			return err
		}
		// Without the lock: it may have been overwritten meanwhile.
		if now, err := f.log.count(); err == nil && now-f.next <= maxRenamed {
			f.add(string(record[2:][:record[1]]), record[0] == 1)
		}
		f.next++
	}
}

func (f *renamed) add(name string, replaced bool) {
	if f.names == nil {
		f.names = make(map[string]bool)
	}
	listed, ok := f.names[name]
	switch {
	case !ok && len(f.names) >= maxRenamed:
	case !replaced:
		// It may have been listed and left since, and is made again.
		f.names[name] = false
	default:
		// The folder's own entry is listed, unless it was made meanwhile, too.
		f.names[name] = listed || !ok
	}
}

// saw is told that a name was listed.
func (f *renamed) saw(name string) {
	if _, ok := f.names[name]; ok {
		f.names[name] = true
	}
}

// has tells whether a rename made this name and it was looked at.
func (f *renamed) has(name string) bool { return f.names[name] }

// rest are the names that were not listed yet.
func (f *renamed) rest() (names []string) {
	for name, listed := range f.names {
		if !listed {
			names = append(names, name)
		}
	}
	return names
}
