package window

import (
	"io"
	"reflect"
	"sync"
	"unsafe"

	"golang.org/x/crypto/ssh"
)

// field is the receive window of a channel as x/crypto has it, in fields that it
// does not export. A test fails if a version of x/crypto has other ones.
type field struct {
	channel ssh.Channel
	mu      *sync.Mutex // guards granted, in x/crypto too
	granted *uint32     // bytes that the client may send once more has been read
	unread  io.Reader   // what the client has sent; to read here grants nothing
}

// fieldOf finds the window of a channel. It is false if x/crypto has other fields.
func fieldOf(channel ssh.Channel) (f field, ok bool) {
	v := reflect.ValueOf(channel)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return f, false
	}
	find := func(name string) any { // a pointer to the field of that name, or nil
		v := v.Elem().FieldByName(name)
		if !v.IsValid() {
			return nil
		}
		return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Interface()
	}
	mu, okMu := find("windowMu").(*sync.Mutex)
	granted, okGranted := find("myConsumed").(*uint32)
	pending := find("pending")
	if !okMu || !okGranted || pending == nil {
		return f, false
	}
	unread, ok := reflect.ValueOf(pending).Elem().Interface().(io.Reader)
	return field{channel, mu, granted, unread}, ok
}

// read reads, and grants nothing for it.
func (f field) read(p []byte) (int, error) { return f.unread.Read(p) }

// readAndGrant reads, and grants what it has read and more bytes besides.
func (f field) readAndGrant(p []byte, more int64) (int, error) {
	f.mu.Lock()
	*f.granted += uint32(more)
	f.mu.Unlock()
	return f.channel.Read(p)
}
