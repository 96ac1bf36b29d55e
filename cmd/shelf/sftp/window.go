package sftp

import (
	"reflect"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/crypto/ssh"
)

const (
	// near is the longest round trip for which the window of x/crypto, 2 MiB, is
	// enough: 4 Gbit/s.
	near = 4 * time.Millisecond

	// moreWindow is what it gets for a longer one, in bytes: enough for 1 Gbit/s at a
	// round trip of a quarter of a second. The server sends no more than we ask for.
	moreWindow = 32 << 20
)

// widen has the server send more before it must wait for us, on a long link. Without
// that it is slower.
func (c *channel) widen(roundTrip time.Duration) {
	if roundTrip > near && !c.wide {
		c.wide = openWindow(c.ssh, moreWindow)
	}
}

// openWindow grants n bytes more of a channel than x/crypto does (the window of
// RFC 4254 section 5.2); that is told with the next Read. x/crypto has no way to do
// this, so it reaches into its fields. It is false if a version has other fields, and
// then a test fails.
func openWindow(channel ssh.Channel, n uint32) bool {
	v := reflect.ValueOf(channel)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return false
	}
	field := func(name string) any { // a pointer to it, or nil
		f := v.Elem().FieldByName(name)
		if !f.IsValid() {
			return nil
		}
		return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Interface()
	}
	mu, ok1 := field("windowMu").(*sync.Mutex)
	granted, ok2 := field("myConsumed").(*uint32) // with the next Read
	window, ok3 := field("myWindow").(*uint32)    // what the server may still send
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	mu.Lock()
	defer mu.Unlock()
	// x/crypto waits until 96 KiB were read, unless the window is wider than its own: so
	// it is made wider by a little that is not granted. It must stay far below 2 MiB,
	// where x/crypto grants nothing.
	const little = 256 << 10
	*granted += n - little
	*window += little
	return true
}
