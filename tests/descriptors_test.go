package tests

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// TestDescriptorsAreLeftForOthers has an account open all files that it can, on many
// connections to a server with few descriptors. It is told by which limit it is held,
// and another account logs in, lists and copies with stock sftp meanwhile.
func TestDescriptorsAreLeftForOthers(t *testing.T) {
	need(t, "sftp")
	s := serveFewDescriptors(t, 256, hostileConfig)
	h := &attack{server: s, key: s.keyAuth(t), acts: make(map[act]bool)}
	s.put(t, "large", content(1, 1000))
	opened := 0
	var refused error
	for range 8 {
		client, err := h.login("127.0.0.1", "ann", h.key)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		c, err := sftp.NewClient(client)
		if err != nil {
			t.Fatal(err)
		}
		for refused = nil; refused == nil; opened++ {
			if opened%2 == 0 {
				_, refused = c.Open("large")
			} else {
				_, refused = c.OpenFile(fmt.Sprint("new", opened), os.O_WRONLY|os.O_CREATE)
			}
		}
	}
	if !strings.Contains(refused.Error(), "one account may have") || !strings.Contains(refused.Error(), "(LimitNOFILE of the process)") {
		t.Errorf("after %d files ann is refused one more: %v", opened, refused)
	}
	for range 3 {
		h.honest("bob", t.TempDir())
	}
	for _, what := range h.failed {
		t.Errorf("while ann has all that she can: %s", what)
	}
}

// serveFewDescriptors starts a server that may have so many descriptors.
func serveFewDescriptors(t *testing.T, most int, toml string) *server {
	t.Helper()
	s, err := newServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program, err1 := exec.LookPath("shelfd")
	bin, file := filepath.Join(s.dir, "bin"), filepath.Join(s.dir, "shelfd.toml")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec '%s' \"$@\"\n", most, program)
	if err := errors.Join(err1, os.WriteFile(file, []byte(toml), 0o600), os.Mkdir(bin, 0o700), os.WriteFile(filepath.Join(bin, "shelfd"), []byte(script), 0o700)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if err := s.start([]string{"--config", file}); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	return s
}
