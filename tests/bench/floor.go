package main

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The floor is the least that a program in Go can spend on a copy: it reads the
// file, seals it with AES-128-GCM in pieces of an SSH packet, and writes them
// to a connection on loopback; and the reverse, into a new file.
const (
	floorName    = "floor"
	floorCommand = "floor" // this program's argument to be that server
	floorPiece   = 32 << 10
)

// floor measures the floor as often as the others were.
func (b *bench) floor(what string) error {
	source := filepath.Join(b.fast, "source")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for range b.rounds {
		for _, verb := range []string{"get", "put"} {
			c, err := runFloor(self, verb, source, b.size)
			if err != nil {
				return err
			}
			b.note(verb, what, floorName, c)
		}
	}
	return nil
}

// runFloor starts the floor's server and is its client.
func runFloor(self, verb, file string, size int64) (c cost, err error) {
	server := exec.Command(self, floorCommand, verb, file)
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		return c, err
	}
	if err := server.Start(); err != nil {
		return c, err
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return c, errors.Join(err, server.Wait())
	}
	start := time.Now()
	failed := floorClient(strings.TrimSpace(addr), verb, size)
	c.wall = time.Since(start)
	err = errors.Join(failed, server.Wait())
	c.cpu = server.ProcessState.UserTime() + server.ProcessState.SystemTime()
	return c, err
}

// serveFloor is the floor's server; it serves one connection.
func serveFloor() error {
	verb, file := os.Args[2], os.Args[3]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	nc, err := l.Accept()
	if err != nil {
		return err
	}
	defer nc.Close()
	if verb == "get" {
		return sealFile(nc, file)
	}
	return openInto(file+".floor", nc)
}

// aead is AES-128-GCM with a key that guards nothing.
func aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// nonces counts as SSH does (RFC 5647 section 7.1).
type nonces [12]byte

func (n *nonces) next() []byte {
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])+1)
	return n[:]
}

// sealFile writes a file to w, sealed piece by piece.
func sealFile(w io.Writer, file string) error {
	gcm, err := aead()
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var nonce nonces
	piece := make([]byte, floorPiece+gcm.Overhead())
	for {
		n, err := io.ReadFull(f, piece[:floorPiece])
		if n == 0 {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		if _, err := w.Write(gcm.Seal(piece[:0], nonce.next(), piece[:n], nil)); err != nil {
			return err
		}
	}
}

// openInto makes a file of what sealFile wrote, and removes it.
func openInto(file string, r io.Reader) error {
	gcm, err := aead()
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	defer f.Close()
	var nonce nonces
	piece := make([]byte, floorPiece+gcm.Overhead())
	buffered := bufio.NewReaderSize(r, 4*floorPiece)
	for {
		n, err := io.ReadFull(buffered, piece)
		if n == 0 {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		plain, err := gcm.Open(piece[:0], nonce.next(), piece[:n], nil)
		if err != nil {
			return err
		}
		if _, err := f.Write(plain); err != nil {
			return err
		}
	}
}

// floorClient is the other end: what it costs is not counted.
func floorClient(addr, verb string, size int64) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	if verb == "get" {
		_, err := io.Copy(struct{ io.Writer }{io.Discard}, nc)
		return err
	}
	gcm, err := aead()
	if err != nil {
		return err
	}
	var nonce nonces
	plain, sealed := make([]byte, floorPiece), make([]byte, 0, floorPiece+gcm.Overhead())
	for sent := int64(0); sent < size; sent += floorPiece {
		if _, err := nc.Write(gcm.Seal(sealed, nonce.next(), plain, nil)); err != nil {
			return err
		}
	}
	return nil
}
