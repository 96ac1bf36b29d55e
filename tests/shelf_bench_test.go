package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A link of these: a round trip of 50 ms, as across an ocean.
const farAway = 25 * time.Millisecond

// BenchmarkFarGet tells how long sftp and shelf take to get files from a server
// that is far away: one large one, and some at a time.
func BenchmarkFarGet(b *testing.B) {
	benchFar(b, func(s *server, client string, files []string) *exec.Cmd {
		to := b.TempDir()
		if client == "shelf" {
			return shelfCommand(s, append(append([]string{"get", "-f", "-j", "8"}, files...), "to", to)...)
		}
		return sftpBatch(s, fmt.Sprintf("lcd %q\nget %s\n", to, strings.Join(files, "\nget ")))
	})
}

// BenchmarkFarPut is the other way.
func BenchmarkFarPut(b *testing.B) {
	benchFar(b, func(s *server, client string, files []string) *exec.Cmd {
		from := b.TempDir()
		for i, f := range files {
			files[i] = filepath.Join(from, "up-"+f)
			if err := os.Link(filepath.Join(s.library, f), files[i]); err != nil {
				b.Fatal(err)
			}
			os.Remove(filepath.Join(s.library, "up-"+f))
		}
		if client == "shelf" {
			return shelfCommand(s, append([]string{"put", "-j", "8"}, files...)...)
		}
		return sftpBatch(s, "put "+strings.Join(files, "\nput ")+"\n")
	})
}

func benchFar(b *testing.B, command func(s *server, client string, files []string) *exec.Cmd) {
	s := serve(b)
	far := *s
	far.config += "-far"
	far.addr = newLink(b, s.addr, farAway).addr
	if err := far.writeConfig(); err != nil {
		b.Fatal(err)
	}
	for _, work := range []struct {
		name  string
		files int
		size  int64
	}{{"one of 256 MiB", 1, 256 << 20}, {"8 of 32 MiB", 8, 32 << 20}, {"64 of 64 KiB", 64, 64 << 10}} {
		var files []string
		for i := range work.files {
			files = append(files, fmt.Sprintf("%d-%d", work.size, i))
			writeRandom(b, filepath.Join(s.library, files[i]), work.size)
		}
		for _, client := range []string{"sftp", "shelf"} {
			b.Run(work.name+"/"+client, func(b *testing.B) {
				need(b, "sftp")
				b.SetBytes(int64(work.files) * work.size)
				for b.Loop() {
					succeed(b, command(&far, client, append([]string(nil), files...)))
				}
			})
		}
	}
}
