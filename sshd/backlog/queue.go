package backlog

import (
	"math"
	"reflect"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Queue is what x/crypto keeps of a channel until it is read: data and requests.
type Queue struct {
	requests <-chan *ssh.Request
	data     [2]*unreadBuffer // of the channel and of its stderr; nil if x/crypto has other fields
}

// unreadBuffer and unreadPiece are the types buffer and element of x/crypto, which
// it does not export. A test fails if a version of it has others; then each channel
// counts as full.
type unreadBuffer struct {
	*sync.Cond
	head, tail *unreadPiece
	closed     bool
}

type unreadPiece struct {
	buf  []byte
	next *unreadPiece
}

const (
	// pieceCost is the memory that a piece takes beside its bytes: what a packet of
	// one byte costs.
	pieceCost = 64

	// maxPieces is how many pieces a channel may have. The window of a channel, full
	// of pieces of one byte, would be 128 MiB.
	maxPieces = 1 << 14

	// fullWindow is the window of x/crypto, in bytes.
	fullWindow = 2 << 20
)

func newQueue(channel ssh.Channel, requests <-chan *ssh.Request) *Queue {
	q := &Queue{requests: requests}
	for n, name := range []string{"pending", "extPending"} {
		q.data[n] = bufferOf(channel, name)
	}
	return q
}

// bufferOf finds a field of a channel. It is nil if there is none of that type.
func bufferOf(channel ssh.Channel, name string) *unreadBuffer {
	v := reflect.ValueOf(channel)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	field := v.Elem().FieldByName(name)
	if !field.IsValid() || field.Kind() != reflect.Pointer || !alike(field.Type().Elem(), reflect.TypeFor[unreadBuffer](), 2) {
		return nil
	}
	return (*unreadBuffer)(field.UnsafePointer())
}

// alike tells whether two structs have the same fields, and those that they point to
// as well, so many levels deep.
func alike(a, b reflect.Type, levels int) bool {
	if a.Kind() != reflect.Struct || b.Kind() != reflect.Struct {
		return a == b
	}
	if a == b || levels == 0 {
		return true
	}
	if a.NumField() != b.NumField() {
		return false
	}
	for n := range a.NumField() {
		x, y := a.Field(n), b.Field(n)
		if x.Name != y.Name || x.Offset != y.Offset || x.Type.Kind() != y.Type.Kind() {
			return false
		}
		if x.Type.Kind() == reflect.Pointer && !alike(x.Type.Elem(), y.Type.Elem(), levels-1) {
			return false
		}
	}
	return true
}

// size is the memory that is kept, in bytes, and math.MaxInt64 for too many pieces.
func (q *Queue) size() int64 {
	n := maxRequest * int64(len(q.requests))
	for _, b := range q.data {
		size := b.size()
		if size == math.MaxInt64 {
			return size
		}
		n += size
	}
	return n
}

// HasData tells whether the client has sent data that was not read.
func (q *Queue) HasData() bool { return q.data[0] != nil && q.data[0].size() > 0 }

func (b *unreadBuffer) size() (n int64) {
	if b == nil {
		return fullWindow / 2 // which both share
	}
	b.L.Lock()
	defer b.L.Unlock()
	n = int64(len(b.head.buf))
	for p, pieces := b.head.next, 0; p != nil; p = p.next {
		if pieces++; pieces > maxPieces {
			return math.MaxInt64
		}
		n += int64(len(p.buf)) + pieceCost
	}
	return n
}
