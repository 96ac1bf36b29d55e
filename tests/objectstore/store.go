// Package objectstore is a store for tests of libraries in buckets, and what goes wrong
// on the way to it.
//
//	store.go      Store: a store that runs as a process of its own
//	seaweedfs.go  another one
//	proxy.go      Proxy: it stands before a store, counts, and spoils calls
package objectstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Bucket is the bucket of the tests.
const Bucket = "library"

// The credentials of the store.
const (
	AccessKey = "tests"
	SecretKey = "not a secret"
)

// Store is versitygw over a folder, in which each folder is a bucket, or SeaweedFS.
type Store struct {
	URL     string
	program string
	args    []string
	addr    string
	cmd     *exec.Cmd
}

// Program is what must be installed for Start.
const Program = "versitygw"

// Start starts a store over a folder. If versions is not "", it is the folder where the
// store keeps old versions, of buckets that are told to have them.
func Start(folder, versions string) (*Store, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &Store{URL: "http://" + addr, program: Program, addr: addr}
	s.args = []string{"--port", addr, "--access", AccessKey, "--secret", SecretKey, "--keep-alive", "--quiet", "posix"}
	if versions != "" {
		s.args = append(s.args, "--versioning-dir", versions)
	}
	s.args = append(s.args, folder)
	return s, s.Restart()
}

// freeAddress is one that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// Restart starts a store that was stopped, at the address that it had.
func (s *Store) Restart() error {
	s.cmd = exec.Command(s.program, s.args...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for range 500 {
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Stop()
	return fmt.Errorf("%s did not start", s.program)
}

// client is a plain client of the store.
func (s *Store) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.URL, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	})
}

// Put puts an object into the bucket, as another program does.
func (s *Store) Put(ctx context.Context, key, text string) error {
	bucket := Bucket
	_, err := s.client().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)})
	return err
}

// KeepVersions has the bucket keep versions. The store must have a folder for them.
func (s *Store) KeepVersions(ctx context.Context) error {
	bucket := Bucket
	_, err := s.client().PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	return err
}

// Stop kills the store.
func (s *Store) Stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// Freeze has the store answer nothing until it is thawed.
func (s *Store) Freeze() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw has it go on.
func (s *Store) Thaw() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// WriteCredentials writes the credentials of the store to a file "credentials", as
// servers read them.
func WriteCredentials(folder string) (file string, err error) {
	file = filepath.Join(folder, "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", AccessKey, SecretKey)
	return file, os.WriteFile(file, []byte(text), 0o600)
}
