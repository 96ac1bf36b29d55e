// Package notify is what a service manager and the server tell each other, by the
// protocols of systemd, which others speak, too.
//
//	notify.go   how the server is: sd_notify(3)
//	sockets.go  the sockets that were opened for it: sd_listen_fds(3)
//
// The library that systemd has for Go connects for each message. Here the socket is
// opened once: in its sandbox the server can't open any.
package notify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Manager is the service manager. A nil Manager is none.
type Manager struct {
	conn     *net.UnixConn
	watchdog time.Duration // how often it wants to hear that we live; 0 is never
}

// Connect connects to the service manager that the environment names; nil is that
// it names none. The variables are those of sd_notify(3) and
// sd_watchdog_enabled(3).
func Connect(getenv func(string) string) (*Manager, error) {
	socket := getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil, nil
	}
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q, which is no unix socket", socket)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		return nil, fmt.Errorf("the service manager: %w", err)
	}
	m := &Manager{conn: conn}
	if pid := getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		micros, _ := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
		m.watchdog = max(0, time.Duration(micros)*time.Microsecond)
	}
	return m, nil
}

// Watchdog is how often the manager wants to hear Alive, at the latest; 0 is that it
// does not.
func (m *Manager) Watchdog() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog
}

// Ready tells that the server serves: after its start, and after Reloading.
func (m *Manager) Ready() error { return m.send("READY=1") }

// Reloading tells that the server reads its settings again. Ready must follow.
func (m *Manager) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	return m.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Stopping tells that the server ends, and that it needs so long for that.
func (m *Manager) Stopping(within time.Duration) error {
	return m.send(fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", within.Microseconds()))
}

// Status is a line for people, as in systemctl status.
func (m *Manager) Status(line string) error {
	return m.send("STATUS=" + strings.ReplaceAll(line, "\n", " "))
}

// Alive is what the watchdog waits for.
func (m *Manager) Alive() error { return m.send("WATCHDOG=1") }

// send does not wait for a manager that does not read.
func (m *Manager) send(state string) error {
	if m == nil {
		return nil
	}
	err := m.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, failed := m.conn.Write([]byte(state))
	return errors.Join(err, failed)
}

// Close ends the connection.
func (m *Manager) Close() {
	if m != nil {
		m.conn.Close()
	}
}
