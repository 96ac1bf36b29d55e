package notify_test

import (
	"os"
	"strconv"
	"testing"

	"shelf/cmd/shelfd/notify"
)

// Sockets that are for another process are left alone, and what is no socket is told.
func TestListenRefuses(t *testing.T) {
	mine := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		pid, fds string
		mistake  bool
	}{
		{"", "", false},
		{"1", "1", false},
		{mine, "0", false},
		{mine, "", true},
		{mine, "-1", true},
		{mine, "many", true},
		{mine, "1000000", true},
	} {
		env := map[string]string{"LISTEN_PID": c.pid, "LISTEN_FDS": c.fds}
		l, err := notify.Listen(func(name string) string { return env[name] })
		if l != nil || (err != nil) != c.mistake {
			t.Errorf("pid %q, fds %q: %v, %v", c.pid, c.fds, l, err)
		}
	}
}
