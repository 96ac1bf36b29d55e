//go:build !linux

package sshd

import "syscall"

// readNow is read(2) and writeNow write(2) of a socket that does not block.

func readNow(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

func writeNow(fd uintptr, b [2][]byte) (int, error) {
	if len(b[0]) > 0 {
		return syscall.Write(int(fd), b[0])
	}
	return syscall.Write(int(fd), b[1])
}
