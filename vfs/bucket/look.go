package bucket

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shelf/vfs"
)

// look is what a file was when somebody looked.
type look struct {
	name    string
	size    int64
	etag    string // as the store has it, with its quotes
	version string // the store's id of it, on a versioned bucket
	id      string // ours; of a file that another program has put there, one made up
	attributes
	sidecars []string  // keys of all that lie beside the file, also of other versions
	changed  time.Time // when it was published or got other attributes, by the clock of the store
}

// attributes are what a file has beside its content.
type attributes struct {
	mode   fs.FileMode
	mtime  int64  // seconds since 1970
	serial uint32 // goes up with each change; 0 is none yet
}

// The metadata of an object.
const (
	metaID    = "shelf-id"
	metaMode  = "shelf-mode" // octal
	metaMtime = "mtime"      // seconds since 1970, with a fraction: rclone's name and form
)

// state is what the Version of a file in a bucket is made of. The time of an object
// that nobody has set is not in it: it is known a round trip later than the rest.
type state struct {
	id  string
	set attributes // those that lie beside it; zero is none
}

// info is the description that the contract asks for.
func (l *look) info() vfs.Info {
	is := state{id: l.id}
	if l.serial > 0 {
		is.set = l.attributes
	}
	return vfs.Info{
		Name: l.name, Size: l.size, Mode: l.mode, ModTime: time.Unix(l.mtime, 0),
		Version: vfs.VersionOf(is),
	}
}

// infoOrNone is the zero Info of nothing.
func (l *look) infoOrNone() vfs.Info {
	if l == nil {
		return vfs.Info{}
	}
	return l.info()
}

// defaultMode is that of a file which says nothing of it.
const defaultMode fs.FileMode = 0o644

// described is what an object says of itself.
type described struct {
	size     int64
	etag     *string
	version  *string
	modified *time.Time
	meta     map[string]string
}

func headed(o *s3.HeadObjectOutput) described {
	return described{aws.ToInt64(o.ContentLength), o.ETag, o.VersionId, o.LastModified, o.Metadata}
}

func got(o *s3.GetObjectOutput) described {
	return described{totalSize(o), o.ETag, o.VersionId, o.LastModified, o.Metadata}
}

// lookAt reads what an object says of itself, without what lies beside it.
func lookAt(name string, d described) *look {
	l := &look{name: name, size: d.size, etag: aws.ToString(d.etag), version: aws.ToString(d.version), id: d.meta[metaID]}
	l.changed = aws.ToTime(d.modified)
	l.mode, l.mtime = defaultMode, l.changed.Unix()
	if l.version == nullVersion {
		l.version = "" // what was there before the bucket got versions
	}
	if l.id == "" {
		l.id = fmt.Sprintf("%s %d %s", l.etag, l.mtime, l.version)
	}
	if mode, err := strconv.ParseUint(d.meta[metaMode], 8, 32); err == nil {
		l.mode = vfs.FileMode(fs.FileMode(mode))
	}
	if whole, _, _ := strings.Cut(d.meta[metaMtime], "."); whole != "" {
		if at, err := strconv.ParseInt(whole, 10, 64); err == nil && at > math.MinInt32 && at < math.MaxUint32 {
			l.mtime = at
		}
	}
	return l
}

// isOurs tells of a file that was looked at whether Shelf has put it there. An id that is made
// up has spaces.
func (l *look) isOurs() bool { return !strings.Contains(l.id, " ") }

// Stat implements [vfs.Library].
func (b *Bucket) Stat(ctx context.Context, name string) (vfs.Info, error) {
	l, err := b.look(ctx, name)
	if err != nil {
		return vfs.Info{}, err
	}
	return l.info(), nil
}

// look describes a file. The object and what lies beside it are asked for at once.
func (b *Bucket) look(ctx context.Context, name string) (*look, error) {
	if vfs.CheckName(name) != nil {
		return nil, vfs.NotExist()
	}
	beside := b.lookBeside(ctx, name)
	l, err := b.lookNow(ctx, name)
	all := <-beside
	if err != nil {
		return nil, failure("look at a file", err)
	}
	if all.err != nil {
		return nil, failure("look beside a file", all.err)
	}
	l.dress(all.sidecars)
	return l, nil
}

// lookNow is look for who needs to know only whether it is still the same: what lies
// beside it is not asked for.
//
// It gets the first byte and does not use HEAD. Some stores put the answer to that
// together from a file that is replaced meanwhile: it may have the ETag of the later
// version and the id of the earlier. With GET it is the other way round, and then a
// change on the condition of that ETag is not made.
func (b *Bucket) lookNow(ctx context.Context, name string) (*look, error) {
	key := b.store.fileKey(name)
	d, err := b.store.peek(ctx, key)
	if err == nil {
		return lookAt(name, d), nil
	}
	if status(err) != http.StatusRequestedRangeNotSatisfiable {
		return nil, err
	}
	h, err := b.store.head(ctx, key) // it is empty
	if err != nil {
		return nil, err
	}
	return lookAt(name, headed(h)), nil
}
