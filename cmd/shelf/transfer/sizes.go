package transfer

import (
	"context"
	"os"
	"path"
	"sync"
)

// measure finds out in the background how much there is to move in all, for the
// bar of all files. stop ends that.
func (b *batch) measure(ctx context.Context, files []file) (stop func()) {
	if !b.shown || len(b.all) < 2 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var measuring sync.WaitGroup
	measuring.Go(func() {
		sizeOf := sizing(sizeHere)
		if b.command == "get" {
			sizeOf = b.sizeThere()
		}
		for _, one := range files {
			if one.known != nil || ctx.Err() != nil {
				continue
			}
			if size, err := sizeOf(ctx, one.name); err == nil {
				one.bar.Expect(size)
			}
		}
	})
	return func() { cancel(); measuring.Wait() }
}

// sizing tells the size of a file before its transfer begins.
type sizing func(ctx context.Context, name string) (int64, error)

// sizeHere is the size of a local file.
func sizeHere(_ context.Context, file string) (int64, error) {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	return info.Size(), nil
}

// sizeThere takes the sizes from the last listing, which a pattern needs, and asks
// the server for the others.
func (m *Mover) sizeThere() sizing {
	listed := make(map[string]int64)
	folder, files, _ := m.Server.Listed()
	for _, e := range files {
		listed[path.Join(folder, e.Name)] = e.Size
	}
	return func(ctx context.Context, name string) (int64, error) {
		at := m.Server.Path(name)
		if size, ok := listed[at]; ok {
			return size, nil
		}
		a, err := m.Server.Stat(ctx, at)
		return a.Size, err
	}
}
