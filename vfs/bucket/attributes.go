package bucket

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"shelf/vfs"
)

// The metadata of an object can be set only with its content, and is in no list. So
// mode and times that are set lie beside the file, as an empty object that has them
// in its key:
//
//	a/HEX-ID-ETAG-SERIAL-MODE-MTIME
//
// HEX is the name of the file. Keys of names up to 90 bytes have one element; of
// longer ones there is a "/" after each 180 digits, since a name on a POSIX file
// system has at most 255 bytes. ID and ETAG are digests of the version that it is
// about: of a version that is gone it does not count. In a list, where no id is
// known, the ETAG tells. Of two the higher SERIAL counts.
//
// In the order of keys, names come in the order of the files' own keys: "-" and "/"
// are before the digits.

// hexElement is how many digits of a name one element of a key has.
const hexElement = 180

// sidecar is such a key, read.
type sidecar struct {
	key      string
	name     string
	id, etag string // digests
	attributes
	at time.Time // when it was put there
}

// sidecarPrefix starts the keys of all sidecars.
func (s *store) sidecarPrefix() string { return s.hiddenKey("a") + "/" }

// sidecarOf starts the keys of all sidecars of a file.
func (s *store) sidecarOf(name string) string {
	digits := hex.EncodeToString([]byte(name))
	var key strings.Builder
	key.WriteString(s.sidecarPrefix())
	for len(digits) > hexElement {
		key.WriteString(digits[:hexElement] + "/")
		digits = digits[hexElement:]
	}
	return key.String() + digits + "-"
}

// sidecarKey is the key of the sidecar of a version.
func (s *store) sidecarKey(l *look) string {
	return fmt.Sprintf("%s%s-%s-%08x-%o-%x", s.sidecarOf(l.name), short(l.id), short(l.etag), l.serial, l.mode, uint64(l.mtime))
}

// short is a digest for a key that has others, too.
func short(text string) string { return digest(text)[:16] }

// parseSidecar reads what a list says of a sidecar.
func (s *store) parseSidecar(o types.Object) (c sidecar, ok bool) {
	key := aws.ToString(o.Key)
	rest, ok := strings.CutPrefix(key, s.sidecarPrefix())
	fields := strings.Split(rest, "-")
	if !ok || len(fields) != 6 {
		return c, false
	}
	name, err := hex.DecodeString(strings.ReplaceAll(fields[0], "/", ""))
	serial, err2 := strconv.ParseUint(fields[3], 16, 32)
	mode, err3 := strconv.ParseUint(fields[4], 8, 32)
	mtime, err4 := strconv.ParseUint(fields[5], 16, 64)
	if err != nil || err2 != nil || err3 != nil || err4 != nil {
		return c, false
	}
	return sidecar{
		key: key, name: string(name), id: fields[1], etag: fields[2],
		attributes: attributes{vfs.FileMode(fs.FileMode(mode)), int64(mtime), uint32(serial)}, at: aws.ToTime(o.LastModified),
	}, true
}

// dress gives a look the attributes that lie beside the file.
func (l *look) dress(all []sidecar) {
	for _, c := range all {
		l.sidecars = append(l.sidecars, c.key)
		if c.id == short(l.id) && c.serial > l.serial {
			l.wear(c)
		}
	}
}

// wear takes the attributes of a sidecar.
func (l *look) wear(c sidecar) {
	l.attributes = c.attributes
	if c.at.After(l.changed) {
		l.changed = c.at
	}
}

// beside is what lies beside a file.
type beside struct {
	sidecars []sidecar
	err      error
}

// maxSidecars is how many sidecars of one file are looked at. More than a few are
// there only when many change it at once.
const maxSidecars = 100

// lookBeside asks for the sidecars of a file.
func (b *Bucket) lookBeside(ctx context.Context, name string) <-chan beside {
	found := make(chan beside, 1)
	go func() {
		p, err := b.store.listPage(ctx, b.store.sidecarOf(name), "", false, maxSidecars)
		all := beside{err: err}
		for _, o := range p.objects {
			if c, ok := b.store.parseSidecar(o); ok && c.name == name {
				all.sidecars = append(all.sidecars, c)
			}
		}
		found <- all
	}()
	return found
}

// dressVersion puts the sidecar of a version beside it.
func (b *Bucket) dressVersion(ctx context.Context, l *look) error {
	key := b.store.sidecarKey(l)
	l.sidecars = []string{key}
	return b.store.putText(ctx, key, nil)
}

// with is the attributes after a change.
func (a attributes) with(c vfs.Attr) attributes {
	if c.HasMode {
		a.mode = vfs.FileMode(c.Mode)
	}
	if c.HasTimes {
		a.mtime = c.Mtime.Unix()
	}
	return a
}
