package bucket

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"shelf/vfs"
)

// List implements [vfs.Library]. Two lists of the store are read side by side, the
// files and the sidecars, which come in the same order: so memory is that of two
// pages. Metadata is in no list: a file that no sidecar lies beside has the mode and
// the time that an object has which says nothing of them.
func (b *Bucket) List(ctx context.Context) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		for l, err := range b.list(ctx) {
			if err != nil {
				yield(vfs.Info{}, failure("list", err))
				return
			}
			if !yield(l.info(), nil) {
				return
			}
		}
	}
}

// list is what List yields, with the reason of the store.
func (b *Bucket) list(ctx context.Context) iter.Seq2[*look, error] {
	return func(yield func(*look, error) bool) {
		files := b.store.pages(ctx, b.store.prefix, true)
		beside := b.store.pages(ctx, b.store.sidecarPrefix(), false)
		defer files.end()
		defer beside.end()
		merge := sidecars{s: b.store, from: beside}
		for {
			l, ok, err := b.nextFile(files, &merge)
			if err != nil {
				yield(nil, err)
				return
			}
			if !ok || !yield(l, nil) {
				return
			}
		}
	}
}

// nextFile is the next file of a list; ok is false at the end.
func (b *Bucket) nextFile(files *pages, merge *sidecars) (l *look, ok bool, err error) {
	for {
		o, ok, err := files.next()
		if err != nil || !ok {
			return nil, false, err
		}
		name := strings.TrimPrefix(aws.ToString(o.Key), b.store.prefix)
		if vfs.CheckName(name) == nil {
			l, err = merge.dress(name, o)
			return l, err == nil, err
		}
	}
}

// Folders are the names of what seems to be a folder directly below the prefix, as other
// libraries there are. Of the options it takes where the bucket is.
func Folders(ctx context.Context, o Options) (names []string, err error) {
	s, err := connect(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	defer s.close()
	for token := ""; ; {
		p, err := s.listPage(ctx, s.prefix, token, true, maxKeys)
		if err != nil {
			return nil, failure("list folders", err)
		}
		for _, f := range p.folders {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(aws.ToString(f.Prefix), s.prefix), "/"))
		}
		if token = p.next; token == "" {
			return names, nil
		}
	}
}

// pages is a list that is read page by page, the next one while this one is used.
type pages struct {
	stop context.CancelFunc
	in   <-chan paged
	now  []types.Object
}

// paged is a page, or why there is none.
type paged struct {
	objects []types.Object
	err     error
}

// pages begins to read a list.
func (s *store) pages(ctx context.Context, prefix string, flat bool) *pages {
	ctx, stop := context.WithCancel(ctx)
	in := make(chan paged)
	go func() {
		defer close(in)
		for token := ""; ; {
			p, err := s.listPage(ctx, prefix, token, flat, maxKeys)
			in <- paged{p.objects, err} // end reads what nobody wants
			if token = p.next; token == "" || err != nil {
				return
			}
		}
	}()
	return &pages{stop: stop, in: in}
}

// next is the next object; ok is false at the end.
func (p *pages) next() (o types.Object, ok bool, err error) {
	for len(p.now) == 0 {
		got, more := <-p.in
		if !more || got.err != nil {
			return o, false, got.err
		}
		p.now = got.objects
	}
	o, p.now = p.now[0], p.now[1:]
	return o, true, nil
}

// end ends the reading.
func (p *pages) end() {
	p.stop()
	for range p.in {
	}
}

// sidecars are those of a list of files, which come in the order of the files.
type sidecars struct {
	s    *store
	from *pages
	head *sidecar // read and not used yet; nil is none
	done bool
	// passed is told of those that seem to be of no version that there is; nil is nobody.
	passed func(sidecar)
}

// dress describes a file of a list. Which sidecar is of this version is told by the
// ETag alone.
func (c *sidecars) dress(name string, o types.Object) (*look, error) {
	l := lookAt(name, described{size: aws.ToInt64(o.Size), etag: o.ETag, modified: o.LastModified})
	for {
		if err := c.fill(); err != nil {
			return nil, err
		}
		if c.head == nil || c.head.name > name {
			return l, nil
		}
		switch {
		case c.head.name == name && c.head.etag == short(l.etag) && c.head.serial > l.serial:
			l.wear(*c.head)
		case c.passed != nil:
			c.passed(*c.head)
		}
		c.head = nil
	}
}

// rest passes all that are left.
func (c *sidecars) rest() error {
	for {
		if err := c.fill(); err != nil || c.head == nil {
			return err
		}
		c.passed(*c.head)
		c.head = nil
	}
}

// fill reads on to the next sidecar, unless there is one.
func (c *sidecars) fill() error {
	for c.head == nil && !c.done {
		o, ok, err := c.from.next()
		if err != nil {
			return err
		}
		if !ok {
			c.done = true
			return nil
		}
		if head, ok := c.s.parseSidecar(o); ok {
			c.head = &head
		}
	}
	return nil
}
