package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"shelf/cmd/shelf/ui"
)

// interrupts presses Ctrl-C again and again until stop, without the end of the
// test itself.
func interrupts(t *testing.T) (stop func()) {
	t.Helper()
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt)
	done := make(chan struct{})
	go func() {
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-tick.C:
				syscall.Kill(os.Getpid(), syscall.SIGINT)
			case <-done:
				tick.Stop()
				return
			}
		}
	}()
	return func() { close(done); signal.Stop(caught) }
}

// Commands come from a pipe that is open and silent.
func TestInterruptWithoutLine(t *testing.T) {
	s := newServer(t, nil)
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer w.Close()
	defer interrupts(t)()
	ended := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() {
		ended <- run([]string{"-F", "none", "-i", s.identity, "--known-hosts", s.known, s.addr}, streams{in, &out, &errs})
	}()
	select {
	case status := <-ended:
		want(t, status, exitSome, errs.String(), "interrupted")
	case <-time.After(10 * time.Second):
		t.Error("it waits for a line")
	}
}

// What does not end at the first Ctrl-C is killed by the second.
func TestSecondInterruptKills(t *testing.T) {
	const inside = "SHELF_TEST_STUBBORN"
	if os.Getenv(inside) != "" {
		(&session{ui: &ui.UI{}}).interruptible(context.Background(), func(context.Context) error {
			fmt.Println("ready")
			select {}
		})
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondInterruptKills$")
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	for range 100 {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Millisecond):
			continue
		}
		break
	}
	cmd.Process.Kill()
	<-ended
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
}
