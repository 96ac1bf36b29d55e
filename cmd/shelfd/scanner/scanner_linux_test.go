package scanner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs/gate"
	"shelf/vfs/vfstest"
)

// fake is a scanner that a test drives.
type fake func(ctx context.Context, about gate.File, text string) (gate.Verdict, error)

func (f fake) Scan(ctx context.Context, about gate.File, file *os.File) (gate.Verdict, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return gate.Verdict{}, err
	}
	return f(ctx, about, string(text))
}

func (f fake) Ping(context.Context) (string, error) { return "here", nil }

// pair is both sides in one process: gone ends the worker's.
func pair(t *testing.T, f fake) (p *Process, log *bytes.Buffer, gone func()) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("this system has no such sockets: %v", err)
	}
	ours, err := connOf(os.NewFile(uintptr(fds[0]), "ours"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := connOf(os.NewFile(uintptr(fds[1]), "theirs"))
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
	at := gate.Address{Kind: gate.Socket, Path: "/fake"}
	p = newProcess([]gate.Address{at}, ours, slog.New(slog.NewTextHandler(log, nil)))
	ended := make(chan error, 1)
	go func() { ended <- serve(context.Background(), theirs, []gate.Scanner{f}) }()
	gone = sync.OnceFunc(func() {
		theirs.Close()
		<-ended
	})
	t.Cleanup(func() { p.Close(); gone() })
	return p, log, gone
}

func (p *Process) only() gate.Scanner { return p.Scanner(p.addresses[0]) }

func file(t *testing.T, text string) *os.File {
	t.Helper()
	return vfstest.OpenFile(t, filepath.Join(t.TempDir(), "file"), text)
}

func TestAnswersGoToWhoAsked(t *testing.T) {
	p, _, _ := pair(t, func(_ context.Context, about gate.File, text string) (gate.Verdict, error) {
		switch text {
		case "error":
			return gate.Verdict{}, errors.New(strings.Repeat("long ", 100000))
		case "panic":
			panic("on cue")
		}
		return gate.Verdict{Refused: true, Reason: about.Name + "=" + text}, nil
	})
	var all sync.WaitGroup
	for _, text := range strings.Fields("a b c d e f g h i j k l m n o p") {
		all.Go(func() {
			v, err := p.only().Scan(t.Context(), gate.File{Name: text}, file(t, text))
			if err != nil || v.Reason != text+"="+text {
				t.Errorf("%s: %+v, %v", text, v, err)
			}
		})
	}
	all.Wait()
	for _, text := range []string{"error", "panic"} {
		if v, err := p.only().Scan(t.Context(), gate.File{}, file(t, text)); err == nil || v.Refused || len(err.Error()) > 2*maxText {
			t.Errorf("%s: %+v, %.100v", text, v, err)
		}
	}
	if said, err := p.only().Ping(t.Context()); err != nil || said != "here" {
		t.Errorf("%q, %v", said, err)
	}
	if v, err := p.Scanner(gate.Address{Kind: gate.Clamd, Path: "/other"}).Scan(t.Context(), gate.File{}, file(t, "x")); err == nil {
		t.Errorf("of a scanner that it was not told of: %+v", v)
	}
}

// TestCancelled ends what nobody waits for, in the process too.
func TestCancelled(t *testing.T) {
	begun, ended := make(chan bool), make(chan bool)
	p, _, _ := pair(t, func(ctx context.Context, _ gate.File, _ string) (gate.Verdict, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return gate.Verdict{}, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if v, err := p.only().Scan(ctx, gate.File{}, file(t, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", v, err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the scan goes on")
	}
}

// TestGone has no verdict from a process that has ended, neither for those who wait nor
// for those who come later.
func TestGone(t *testing.T) {
	begun := make(chan bool)
	p, log, gone := pair(t, func(ctx context.Context, _ gate.File, _ string) (gate.Verdict, error) {
		close(begun)
		<-ctx.Done()
		return gate.Verdict{}, ctx.Err()
	})
	go func() { <-begun; gone() }()
	if v, err := p.only().Scan(t.Context(), gate.File{}, file(t, "x")); !errors.Is(err, errGone) {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := p.only().Scan(t.Context(), gate.File{}, file(t, "x")); !errors.Is(err, errGone) || !p.Gone() {
		t.Errorf("later: %+v, %v", v, err)
	}
	if !strings.Contains(log.String(), "restart the server") {
		t.Errorf("the log says %s", log)
	}
}
