// Command bench runs shelfd side by side with other servers, on this machine
// and the loopback interface, and prints one table of medians and ratios.
//
//	go run ./tests/bench [flags] [MEASURE...]
//
// The other servers are OpenSSH's, if it is installed, rclone's, if the variable
// RCLONE names that program, and an older shelfd, if BEFORE names one. Clients are the stock sftp wherever it
// is the server that is judged by its speed; where the client would cost more
// than the server (logins, idle sessions) it is one in this process, the same
// for all. Rounds are interleaved, so that a machine whose speed drifts is as
// slow for one as for the other.
//
//	main.go      flags, and the order of things
//	table.go     medians, ratios, the table
//	server.go    a server under test, and how each is started
//	process.go   what the kernel counts of its processes
//	stock.go     runs of the stock sftp
//	client.go    the client in this process
//	copy.go      get and put of a large file, by one and by eight at once
//	shelf.go     and by shelf instead of sftp
//	far.go       both over a long link, many small files, and many at once; relay.go: that link
//	floor.go     the least that a copy can cost
//	login.go     logins, idle sessions, a thousand sessions
//	audit.go     what the audit log costs
//	files.go     many small files, and long listings
//	bucket.go    over a bucket of an object store, which is versitygw
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// bench is one run.
type bench struct {
	rounds  int
	size    int64  // bytes of a large file
	fast    string // folder in memory
	disk    string // folder on a disk
	key     string // file of the private key that logs in
	shelf   string // the program
	table   *table
	servers []kind
}

// measures are what can be measured, in the order of the table.
var measures = []struct {
	name string
	run  func(*bench) error
}{
	{"copy", (*bench).copies},
	{"cipher", (*bench).copiesAtOneCipher},
	{"eight", (*bench).eightAtOnce},
	{"client", (*bench).clients},
	{"far", (*bench).far},
	{"farsmall", (*bench).farSmall},
	{"farcrowd", (*bench).farCrowd},
	{"login", (*bench).logins},
	{"idle", (*bench).idleSessions},
	{"idlecrowd", (*bench).idleCrowd},
	{"crowd", (*bench).crowd},
	{"small", (*bench).smallFiles},
	{"list", (*bench).listing},
	{"million", (*bench).listMillion},
	{"audit", (*bench).audited},
	{"bucket", (*bench).buckets},
	{"bucketcrowd", (*bench).bucketCrowd},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		fatal(serveFloor())
		return
	}
	rounds := flag.Int("rounds", 5, "rounds of each measure")
	size := flag.Int64("size", 512, "MiB of a large file")
	fast := flag.String("fast", "/dev/shm", "a `folder` in memory")
	disk := flag.String("disk", os.TempDir(), "a `folder` on a disk")
	flag.Parse()
	fatal(run(*rounds, *size<<20, *fast, *disk, flag.Args()))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, size int64, fast, disk string, names []string) (err error) {
	b := &bench{rounds: rounds, size: size, table: new(table)}
	if b.fast, err = os.MkdirTemp(fast, "shelf-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.fast)
	if b.disk, err = os.MkdirTemp(disk, "shelf-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.disk)
	if err := b.prepare(); err != nil {
		return err
	}
	for _, m := range measures {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		if err := m.run(b); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.table.print(os.Stdout, b.servers)
	return nil
}

// prepare builds both programs, makes the key and finds the other servers.
func (b *bench) prepare() error {
	bin := filepath.Join(b.fast, "bin")
	shelfd := filepath.Join(bin, "shelfd")
	b.shelf = filepath.Join(bin, "shelf")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", bin+"/", "shelf/cmd/shelfd", "shelf/cmd/shelf")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	b.key = filepath.Join(b.fast, "id")
	if out, err := exec.Command(shelfd, "keygen", b.key).CombinedOutput(); err != nil {
		return fmt.Errorf("make a key: %w\n%s", err, out)
	}
	b.servers = kinds(shelfd)
	return nil
}

// each runs f once for every server in every round, each server serving a
// library of its own in the folder parent, which prepare may fill first.
func (b *bench) each(parent string, prepare func(library string) error, f func(s *server) error) error {
	running, err := b.startAll(parent, prepare)
	defer stopAll(running)
	if err != nil {
		return err
	}
	for round := range b.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, b.rounds)
		for _, s := range running {
			if err := f(s); err != nil {
				return fmt.Errorf("%s: %w", s.kind.name, err)
			}
		}
	}
	return nil
}

func (b *bench) startAll(parent string, prepare func(library string) error) ([]*server, error) {
	var running []*server
	for _, k := range b.servers {
		s, err := b.start(k, filepath.Join(parent, k.name), prepare)
		if err != nil {
			return running, fmt.Errorf("%s: %w", k.name, err)
		}
		running = append(running, s)
	}
	return running, nil
}

func stopAll(running []*server) {
	for _, s := range running {
		s.stop()
	}
}
