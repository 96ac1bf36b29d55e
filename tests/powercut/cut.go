//go:build linux

package powercut

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// blockSize is the piece of a file that is written whole or not at all.
const blockSize = 4096

// Cut is a moment of a Disk: what is on it for certain, and what may be.
type Cut struct {
	nodes          map[uint64]node // with no live part: only onDisk and pending
	committed, now moment
}

// Cut takes down the moment. The disk goes on.
func (d *Disk) Cut() *Cut {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Cut{nodes: make(map[uint64]node, len(d.nodes)), committed: d.committed, now: d.now}
	for id, n := range d.nodes {
		// What is appended to pending later does not change what is in it now.
		c.nodes[id] = node{id: id, onDisk: n.onDisk, pending: slices.Clip(n.pending)}
	}
	return c
}

// drawing is one disk in the making.
type drawing struct {
	*Cut
	model Model
	lot   *rand.Rand
	until moment  // ordered: the last change of names and attributes that is there
	bias  float64 // how likely is what may be or not
	lost  []string
}

// Draw draws one of the disks that may be found after the cut.
func (c *Cut) Draw(m Model, lot *rand.Rand) *Image {
	d := &drawing{Cut: c, model: m, lot: lot, until: c.committed}
	// The ends are as likely as all that lies between: nothing that was not
	// synced, and everything.
	switch lot.IntN(4) {
	case 0:
		d.bias = 0
	case 1:
		d.bias, d.until = 1, c.now
	default:
		d.bias = lot.Float64()
		d.until += moment(lot.Uint64N(uint64(c.now-c.committed) + 1))
	}
	return d.image()
}

func (d *drawing) image() *Image {
	i := &Image{files: make(map[uint64]drawnFile)}
	i.top = d.dir(i, root, ".")
	i.Lost = d.lost
	return i
}

// may is the lot for something that may be or not.
func (d *drawing) may() bool { return d.lot.Float64() < d.bias }

// has tells whether a change other than a write is there.
func (d *drawing) has(c change) bool {
	if d.model == Ordered {
		return c.at <= d.until
	}
	return d.may()
}

func (d *drawing) lose(format string, args ...any) {
	d.lost = append(d.lost, fmt.Sprintf(format, args...))
}

// dir draws a directory and all below it.
func (d *drawing) dir(i *Image, id uint64, path string) drawnDir {
	n := d.nodes[id]
	entries := maps.Clone(n.onDisk.entries)
	had := true // the change before is there
	for _, c := range n.pending {
		switch c.kind {
		case entered:
			if had = d.has(c); had {
				entries[c.name] = c.id
			} else {
				d.lose("%s/%s is not yet node %d", path, c.name, c.id)
			}
		case left:
			if had = (had || !c.within) && d.has(c); had {
				delete(entries, c.name)
			} else {
				d.lose("%s/%s is not yet gone", path, c.name)
			}
		}
	}
	drawn := drawnDir{d.attributes(n), entries, make(map[string]drawnDir)}
	for _, name := range slices.Sorted(maps.Keys(entries)) { // in order, for the lot's sake
		child, below := d.nodes[entries[name]], path+"/"+name
		if child.isDir() {
			drawn.dirs[name] = d.dir(i, child.id, below)
		} else if _, ok := i.files[child.id]; !ok {
			i.files[child.id] = drawnFile{d.attributes(child), d.content(child, below)}
		}
	}
	return drawn
}

func (d *drawing) attributes(n node) attributes {
	a := n.onDisk.attr
	for _, c := range n.pending {
		if c.kind != changed {
			continue
		}
		if d.has(c) {
			c.set(&a)
		} else {
			d.lose("node %d has not yet its mode, times or extended attributes", n.id)
		}
	}
	return a
}

// content draws what is in a file, and how long it is.
func (d *drawing) content(n node, path string) []byte {
	data, size := slices.Clone(n.onDisk.data), int64(len(n.onDisk.data))
	for _, c := range n.pending {
		switch c.kind {
		case truncated:
			if d.has(c) {
				size = c.size
				clear(data[min(size, int64(len(data))):])
			} else {
				d.lose("%s: node %d has not yet size %d", path, n.id, c.size)
			}
		case wrote:
			data, size = d.write(data, size, c)
		}
	}
	if len(n.pending) > 0 {
		d.lose("%s: node %d has %d bytes of %d changes", path, n.id, size, len(n.pending))
	}
	return grown(data, size)[:size]
}

// write draws which blocks of a write are there, and whether the size is: the
// blocks need not be there when it is, and read as zeros then. By the ordered
// model the size is there no sooner than what was changed before it.
func (d *drawing) write(data []byte, size int64, c change) ([]byte, int64) {
	end := c.off + int64(len(c.data))
	longer := d.may() && (d.model == Strict || c.at <= d.until)
	if longer {
		size = max(size, end)
	}
	data = grown(data, end)
	for from := c.off; from < end; {
		to := min((from/blockSize+1)*blockSize, end)
		if d.may() {
			copy(data[from:to], c.data[from-c.off:to-c.off])
		}
		from = to
	}
	if !longer {
		// What is past the end is no part of the file.
		clear(data[min(size, int64(len(data))):])
	}
	return data, size
}
