package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/sftp"
)

// callTimes are what a call to the store takes more than it does on this machine.
var callTimes = []time.Duration{0, 20 * time.Millisecond}

const (
	bucketFiles  = 1000   // small files that are put
	bucketListed = 10_000 // files that are listed

	storeKey, storeSecret = "bench", "not a secret"

	crowdBegins, crowdWaits = 5 * time.Second, 40 * time.Second
)

// store is versitygw over a folder, in which each folder is a bucket. Servers reach it
// at a port that may be that of a relay.
type store struct {
	cmd    *exec.Cmd
	folder string
	port   int
}

// hasStore tells whether the store is installed.
func hasStore() bool {
	_, err := exec.LookPath("versitygw")
	if err != nil {
		fmt.Fprintln(os.Stderr, "versitygw is not installed: buckets are left out; .ci/run shows how to get it")
	}
	return err == nil
}

func startStore(folder string) (*store, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(folder, "library"), 0o755); err != nil {
		return nil, err
	}
	s := &store{folder: folder, port: port}
	s.cmd = exec.Command("versitygw", "--port", fmt.Sprintf("127.0.0.1:%d", port), "--access", storeKey, "--secret", storeSecret,
		"--keep-alive", "--quiet", "posix", folder)
	s.cmd.Stderr = os.Stderr
	return s, s.cmd.Start()
}

func (s *store) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
	os.RemoveAll(s.folder)
}

// over are the servers that can serve a bucket, each with a prefix of its own, which
// is the folder below here.
func (s *store) over(all []kind) (these []kind) {
	for _, k := range all {
		switch k.name {
		case "shelfd", "before":
			k.command = s.shelfd(k.command)
		case "rclone":
			k.command = s.rclone(k.command)
		default:
			continue
		}
		these = append(these, k)
	}
	return these
}

func (s *store) prefix(of string) string { return filepath.Join(s.folder, "library", of) }

const shelfdOverBucket = `listen = "127.0.0.1:%d"
state = %q
user = %q
authorized_keys_file = %q
log_level = "warn"
[libraries.default]
bucket = "s3://library/%s"
endpoint = "http://127.0.0.1:%d"
path_style = true
credentials_file = %q
`

func (s *store) shelfd(folder func(*server) (*exec.Cmd, error)) func(*server) (*exec.Cmd, error) {
	return func(of *server) (*exec.Cmd, error) {
		c, err := folder(of)
		if err != nil {
			return nil, err
		}
		credentials, config := filepath.Join(of.dir, "credentials"), filepath.Join(of.dir, "shelfd.toml")
		text := fmt.Sprintf(shelfdOverBucket, of.port, filepath.Join(of.dir, "state"), of.user, of.key+".pub", of.kind.name, s.port, credentials)
		login := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", storeKey, storeSecret)
		err = errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(credentials, []byte(login), 0o600))
		return exec.Command(c.Path, append([]string{"serve", "--config", config}, of.args...)...), err
	}
}

func (s *store) rclone(folder func(*server) (*exec.Cmd, error)) func(*server) (*exec.Cmd, error) {
	return func(of *server) (*exec.Cmd, error) {
		c, err := folder(of)
		if err != nil {
			return nil, err
		}
		c.Args[3] = "store:library/" + of.kind.name // in the place of the folder
		c.Env = append(c.Env, "AWS_CA_BUNDLE=", "RCLONE_CONFIG_STORE_TYPE=s3", "RCLONE_CONFIG_STORE_PROVIDER=Other", "RCLONE_CONFIG_STORE_REGION=us-east-1",
			"RCLONE_CONFIG_STORE_ACCESS_KEY_ID="+storeKey, "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY="+storeSecret,
			fmt.Sprintf("RCLONE_CONFIG_STORE_ENDPOINT=http://127.0.0.1:%d", s.port))
		return c, nil
	}
}

// buckets compares servers over one store: near, and 20 ms away.
func (b *bench) buckets() error {
	if !hasStore() {
		return nil
	}
	source := filepath.Join(b.fast, "source")
	if err := writeRandom(source, b.size); err != nil {
		return err
	}
	small, err := makeFiles(filepath.Join(b.fast, "small"), bucketFiles)
	if err != nil {
		return err
	}
	for _, callTime := range callTimes {
		if err := b.bucketAt(callTime, source, small); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) bucketAt(callTime time.Duration, source, small string) error {
	s, err := startStore(filepath.Join(b.disk, "store"))
	if err != nil {
		return err
	}
	defer s.stop()
	seen := *s
	if callTime > 0 {
		r, err := startRelay(fmt.Sprintf("127.0.0.1:%d", s.port), callTime)
		if err != nil {
			return err
		}
		defer r.stop()
		seen.port = r.port()
	}
	over := *b
	over.servers = seen.over(b.servers)
	fill := func(string) error { return nil }
	for _, k := range over.servers {
		if _, err := makeFiles(s.prefix(k.name), bucketListed); err != nil {
			return err
		}
	}
	return over.each(b.disk, fill, func(of *server) error {
		defer removeAll(filepath.Join(s.prefix(of.kind.name), "small-small-*"), filepath.Join(s.prefix(of.kind.name), "file"))
		for _, way := range []struct {
			what, unit string
			work       float64
			commands   []string
		}{
			{"put", "MiB/s", float64(b.size) / mib, []string{"put " + source + " /file"}},
			{"get", "MiB/s", float64(b.size) / mib, []string{"get /file " + source + ".back"}},
			{fmt.Sprintf("put %d files of 4 KiB", bucketFiles), "files/s", bucketFiles, []string{"put " + small + "/* /"}},
			{fmt.Sprintf("list %d files", bucketListed), "files/s", bucketListed, []string{"ls -1 /"}},
		} {
			c, err := of.measure(func() error { return of.sftp(nil, way.commands...) })
			if err != nil {
				return fmt.Errorf("%s: %w", way.what, err)
			}
			what := fmt.Sprintf("bucket, %v a call: %s", callTime, way.what)
			b.table.add(what, way.unit, of.kind.name, way.work/c.wall.Seconds())
			b.table.add(what, "CPU s", of.kind.name, c.cpu.Seconds())
		}
		return same(source, source+".back")
	})
}

func removeAll(patterns ...string) {
	for _, p := range patterns {
		files, _ := filepath.Glob(p)
		for _, f := range files {
			os.Remove(f)
		}
	}
}

// bucketCrowd has many upload to a bucket at once, and looks at the most that shelfd
// held. In the middle the store stands still for a while, so that all of them have to
// wait. It takes as much of the disk as all of them, twice.
func (b *bench) bucketCrowd() error {
	const count = 32
	if !hasStore() {
		return nil
	}
	s, err := startStore(filepath.Join(b.disk, "store"))
	if err != nil {
		return err
	}
	defer s.stop()
	size := b.size
	of, err := b.start(s.over(b.servers[:1])[0], filepath.Join(b.disk, "crowd"), nil)
	if err != nil {
		return err
	}
	defer of.stop()
	piece := make([]byte, mib)
	failed := make(chan error, count)
	var all sync.WaitGroup
	for n := range count {
		all.Go(func() { failed <- of.stream(fmt.Sprint("crowd-", n), piece, size) })
	}
	time.Sleep(crowdBegins)
	s.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(crowdWaits)
	s.cmd.Process.Signal(syscall.SIGCONT)
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	peak, err := peakRSS(of.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("bucket: %d uploads of %d MiB at once", count, size/mib), "MiB peak RSS", of.kind.name, float64(peak)/mib)
	return nil
}

// stream uploads a file that is one piece again and again, with as many WRITEs under
// way as sftp has.
func (s *server) stream(name string, piece []byte, size int64) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.close()
	if c.sftp, err = sftp.NewClient(c.ssh, sftp.UseConcurrentWrites(true)); err != nil {
		return err
	}
	f, err := c.sftp.Create(name)
	if err != nil {
		return err
	}
	_, err = f.ReadFromWithConcurrency(&repeated{piece, size}, 64)
	return errors.Join(err, f.Close())
}

// repeated reads as a piece that comes again and again.
type repeated struct {
	piece []byte
	left  int64
}

// Read implements [io.Reader].
func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.piece[:min(int64(len(r.piece)), r.left)])
	r.left -= int64(n)
	return n, nil
}
