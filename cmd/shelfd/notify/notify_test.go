package notify_test

import (
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"os"

	"shelf/cmd/shelfd/notify"
)

// A service manager hears each message as it expects it.
func TestMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}
	m, err := notify.Connect(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Watchdog() != 30*time.Second {
		t.Errorf("the watchdog waits %v", m.Watchdog())
	}
	for _, test := range []struct {
		say  func() error
		want string
	}{
		{m.Ready, "READY=1"}, {m.Reloading, `RELOADING=1\nMONOTONIC_USEC=[0-9]+`}, {func() error { return m.Stopping(90 * time.Second) }, `STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000`}, {m.Alive, "WATCHDOG=1"},
		{func() error { return m.Status("two\nlines") }, "STATUS=two lines"},
	} {
		if err := test.say(); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 1000)
		n, err := l.Read(text)
		if err != nil || !regexp.MustCompile("^"+test.want+"$").Match(text[:n]) {
			t.Errorf("it hears %q (%v), want %s", text[:n], err, test.want)
		}
	}
}

// Without a manager nothing is said; another process's watchdog is not ours; and
// a socket that is not there is an error.
func TestWithoutManager(t *testing.T) {
	m, err := notify.Connect(func(string) string { return "" })
	if m != nil || err != nil || m.Ready() != nil || m.Watchdog() != 0 {
		t.Errorf("got %v (%v)", m, err)
	}
	m.Close()
	for _, socket := range []string{filepath.Join(t.TempDir(), "none"), "vsock:2:1"} {
		if _, err := notify.Connect(func(string) string { return socket }); err == nil {
			t.Errorf("connected to %s", socket)
		}
	}
}
